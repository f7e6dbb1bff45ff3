// Package debtest makes Debian packages and repositories for tests, in a test's own folder and without any tool.
package debtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
)

// Time is the modification time of every file in a package that names none.
func Time() time.Time { return time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC) }

// Package is a package to be made. Name and Files are needed.
type Package struct {
	Name    string
	Version string // "1.0" if empty
	Arch    string // "amd64" if empty
	Fields  string // more lines of the control file, such as "Depends: libc6\nSection: libs\n"
	Files   *tree.Tree
}

func (p Package) control() string {
	if p.Version == "" {
		p.Version = "1.0"
	}
	if p.Arch == "" {
		p.Arch = "amd64"
	}
	return fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Nobody <nobody@example.org>\n%sDescription: for tests\n", p.Name, p.Version, p.Arch, p.Fields)
}

// Deb is p as a .deb file (deb(5)).
func Deb(t testing.TB, p Package) []byte {
	t.Helper()
	return Raw(t, p, pack(t, p.Files))
}

// Raw is a .deb file whose data archive is the given tar archive, which may be a bad one.
func Raw(t testing.TB, p Package, data []byte) []byte {
	t.Helper()
	var control tree.Tree
	control.File("control", 0o644, blob.String(p.control()))
	var b bytes.Buffer
	b.WriteString("!<arch>\n")
	for _, m := range []struct {
		name    string
		content []byte
	}{{"debian-binary", []byte("2.0\n")}, {"control.tar", pack(t, &control)}, {"data.tar", data}} {
		fmt.Fprintf(&b, "%-16s%-12d%-6d%-6d%-8o%-10d`\n", m.name, Time().Unix(), 0, 0, 0o100644, len(m.content))
		b.Write(m.content)
		if len(m.content)%2 != 0 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()
}

func pack(t testing.TB, files *tree.Tree) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := tar.Write(&b, files, tar.Options{Epoch: Time()}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Repository makes a repository of packages that says it is of the given origin, and returns a sources.list(5) file for
// it. Its packages lie beside its index, under the names that Packages gives them.
func Repository(t testing.TB, origin string, packages ...Package) (sources string) {
	t.Helper()
	dir := t.TempDir()
	var index strings.Builder
	for _, p := range packages {
		deb := Deb(t, p)
		name := p.Name + ".deb"
		write(t, filepath.Join(dir, name), deb)
		fmt.Fprintf(&index, "%sFilename: ./%s\nSize: %d\nSHA256: %s\n\n", p.control(), name, len(deb), blob.SumBytes(deb).Hex())
	}
	write(t, filepath.Join(dir, "Packages"), []byte(index.String()))
	release := fmt.Sprintf("Origin: %s\nDate: Mon, 06 May 2024 07:08:09 UTC\nSHA256:\n %s %d Packages\n", origin, blob.SumBytes([]byte(index.String())).Hex(), index.Len())
	write(t, filepath.Join(dir, "Release"), []byte(release))
	sources = filepath.Join(dir, "test.list")
	write(t, sources, []byte("deb [trusted=yes] file:"+dir+" ./\n"))
	return sources
}

func write(t testing.TB, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Pool is packages in a Pool that lives as long as the test.
func Pool(t testing.TB, packages ...Package) *debian.Pool {
	t.Helper()
	dir := t.TempDir()
	var all []debian.Package
	var paths []string
	for _, p := range packages {
		deb := Deb(t, p)
		path := filepath.Join(dir, p.Name+".deb")
		write(t, path, deb)
		all = append(all, debian.Package{Name: p.Name, Version: "1.0", Arch: "amd64", Source: p.Name, SourceVersion: "1.0", Digest: blob.SumBytes(deb), Size: int64(len(deb))})
		paths = append(paths, path)
	}
	pool, err := debian.NewPool(t.Context(), all, paths, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}
