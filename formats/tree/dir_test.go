package tree_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestFromDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "etc/hosts"), "localhost")
	write(t, filepath.Join(dir, "bin/tool"), "#!")
	for p, mode := range map[string]fs.FileMode{"etc": 0o755, "bin": 0o711, "etc/hosts": 0o640, "bin/tool": 0o755 | fs.ModeSetuid} {
		if err := os.Chmod(filepath.Join(dir, p), mode); err != nil { // whatever the umask
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../etc/hosts", filepath.Join(dir, "bin/h")); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	tr, err := tree.FromDir(link)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(paths(tr), " "); got != "bin bin/h bin/tool etc etc/hosts" {
		t.Errorf("paths are %s", got)
	}
	for p, mode := range map[string]fs.FileMode{"etc": fs.ModeDir | 0o755, "bin": fs.ModeDir | 0o711, "etc/hosts": 0o640, "bin/tool": 0o755 | fs.ModeSetuid, "bin/h": fs.ModeSymlink | 0o777} {
		if n := tr.Get(p); n.Mode != mode || n.UID != 0 || !n.ModTime.IsZero() {
			t.Errorf("%s is %+v; want mode %v", p, n, mode)
		}
	}
	if l := tr.Get("bin/h").Link; l != "../etc/hosts" {
		t.Errorf("link says %q", l)
	}
	if p, err := blob.ReadAll(tr.Get("etc/hosts").Content, 100); err != nil || string(p) != "localhost" {
		t.Errorf("content is %q, %v", p, err)
	}
}

func TestFromDirFileChanges(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) error{
		"longer":   func(p string) error { return os.WriteFile(p, []byte("longer than before"), 0o644) },
		"touched":  func(p string) error { return os.Chtimes(p, time.Time{}, time.Unix(1, 0)) },
		"replaced": func(p string) error { return os.Rename(filepath.Join(filepath.Dir(p), "g"), p) },
		"gone":     os.Remove,
		"folder":   func(p string) error { os.Remove(p); return os.Mkdir(p, 0o755) },
	} {
		dir := t.TempDir()
		p := filepath.Join(dir, "f")
		write(t, p, "before")
		write(t, filepath.Join(dir, "g"), "beside")
		tr, err := tree.FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(p); err != nil {
			t.Fatal(err)
		}
		if _, err := blob.ReadAll(tr.Get("f").Content, 100); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: read says %v; want an error that names %s", name, err, p)
		}
	}
}

func TestFromDirRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	socket := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(socket, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for p, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		filepath.Join(dir, "file"): "not a directory",
		socket:                     "neither a file, a folder nor a symbolic link",
	} {
		if _, err := tree.FromDir(p); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), p) {
			t.Errorf("FromDir(%s) = %v; want %q", p, err, want)
		}
	}
}

// TestFromDirHoldsNoDescriptors reads more files than most processes may have open.
func TestFromDirHoldsNoDescriptors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 1200 {
		f, err := os.CreateTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		f.WriteString("x")
		f.Close()
	}
	tr, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range tr.Nodes() {
		if _, err := blob.ReadAll(n.Content, 1); err != nil {
			t.Fatal(err)
		}
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err == nil && len(open) > 500 {
		t.Errorf("%d descriptors are open", len(open))
	}
}
