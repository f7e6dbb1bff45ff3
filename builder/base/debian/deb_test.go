package debian_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/builder/base/debian/debtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// members is a tar archive of the given members, which may be bad ones.
func members(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h.Mode = 0o644
		h.ModTime = debtest.Time()
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(strings.Repeat("x", int(h.Size)))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t *testing.T, deb []byte) (*debian.Files, error) {
	t.Helper()
	oracle.Need(t, "dpkg-deb")
	dir := t.TempDir()
	path := filepath.Join(dir, "p.deb")
	if err := os.WriteFile(path, deb, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := debian.Unpack(t.Context(), debian.Package{Name: "p", Version: "1", Arch: "amd64"}, path, dir)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

func TestUnpack(t *testing.T) {
	t.Parallel()
	data := members(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir},
		tar.Header{Name: "./lib/", Typeflag: tar.TypeDir},
		tar.Header{Name: "./lib/libx.so.1.2", Typeflag: tar.TypeReg, Size: 3},
		tar.Header{Name: "./lib/libx.so.1", Typeflag: tar.TypeSymlink, Linkname: "libx.so.1.2"},
		tar.Header{Name: "./lib/far", Typeflag: tar.TypeSymlink, Linkname: "../usr/share/doc/p"},
		tar.Header{Name: "./lib/absolute", Typeflag: tar.TypeSymlink, Linkname: "/lib/libx.so.1"},
		tar.Header{Name: "./usr/lib/", Typeflag: tar.TypeDir},
		tar.Header{Name: "./usr/lib/up", Typeflag: tar.TypeSymlink, Linkname: "../../lib/libx.so.1"},
		tar.Header{Name: "./usr/share/doc/p", Typeflag: tar.TypeReg, Size: 5},
		tar.Header{Name: "./sbin/hard", Typeflag: tar.TypeLink, Linkname: "./lib/libx.so.1.2"},
	)
	f, err := unpack(t, debtest.Raw(t, debtest.Package{Name: "p"}, data))
	if err != nil {
		t.Fatal(err)
	}
	f.Tree.Symlink("lib", "usr/lib")
	for _, test := range []struct {
		path, resolved string
		size           int64
	}{
		{"usr/lib/libx.so.1", "usr/lib/libx.so.1.2", 3},
		{"usr/lib/far", "usr/share/doc/p", 5},
		{"usr/lib/absolute", "usr/lib/libx.so.1.2", 3},
		{"usr/lib/up", "usr/lib/libx.so.1.2", 3},
		{"usr/sbin/hard", "usr/sbin/hard", 3},
	} {
		at, err := f.Tree.Resolve(test.path)
		if err != nil || at != test.resolved {
			t.Errorf("%s leads to %q, %v; want %s", test.path, at, err, test.resolved)
			continue
		}
		if p, err := blob.ReadAll(f.Tree.Get(at).Open(), 100); err != nil || string(p) != strings.Repeat("x", int(test.size)) {
			t.Errorf("%s holds %q, %v", test.path, p, err)
		}
	}
	if !f.Newest.Equal(debtest.Time()) {
		t.Errorf("newest member is of %v", f.Newest)
	}
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	raw := func(h ...tar.Header) []byte { return debtest.Raw(t, debtest.Package{Name: "p"}, members(t, h...)) }
	good := raw(tar.Header{Name: "./usr/a", Typeflag: tar.TypeReg, Size: 2000})
	for name, test := range map[string]struct {
		deb  []byte
		says string
	}{
		"dots":                   {raw(tar.Header{Name: "./../evil", Typeflag: tar.TypeReg}), "evil"},
		"dots inside":            {raw(tar.Header{Name: "./usr/../../evil", Typeflag: tar.TypeReg}), "evil"},
		"link leaving":           {raw(tar.Header{Name: "./usr/out", Typeflag: tar.TypeSymlink, Linkname: "../../etc"}), "usr/out"},
		"link just leaving":      {raw(tar.Header{Name: "./out", Typeflag: tar.TypeSymlink, Linkname: ".."}), "out"},
		"through a link":         {raw(tar.Header{Name: "./d", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, tar.Header{Name: "./d/passwd", Typeflag: tar.TypeReg}), "d/passwd"},
		"hard link leaving":      {raw(tar.Header{Name: "./h", Typeflag: tar.TypeLink, Linkname: "../etc/passwd"}), "h"},
		"device":                 {raw(tar.Header{Name: "./dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}), "dev/null"},
		"cut short":              {good[:len(good)-3000], "p"},
		"data archive cut short": {debtest.Raw(t, debtest.Package{Name: "p"}, members(t, tar.Header{Name: "./usr/a", Typeflag: tar.TypeReg, Size: 2000})[:1024]), "p"},
		"not a package":          {[]byte("PK\x03\x04 no such thing"), "p"},
		"empty":                  {nil, "p"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := unpack(t, test.deb)
			if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "package p:") || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error of kind %v: %v; want an invalid one that names the package and %q", report.KindOf(err), err, test.says)
			}
		})
	}
}

func TestPool(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	var a, b tree.Tree
	a.File("usr/sbin/a1", 0o755, blob.String("a1"))
	a.File("usr/share/x/1", 0o644, nil)
	a.File("usr/share/x/y/2", 0o644, nil)
	a.File("usr/share/x/z/3", 0o644, nil)
	a.File("usr/share/doc/a/copyright", 0o644, blob.String("mine"))
	b.File("lib/b.so", 0o644, blob.String("b"))
	b.Symlink("usr/share/doc/b", "a")
	p := debtest.Pool(t, debtest.Package{Name: "a", Files: &a}, debtest.Package{Name: "b", Files: &b}, debtest.Package{Name: "idle", Files: &tree.Tree{}})

	paths, err := p.Match("a", "usr/share/x/", "!usr/share/x/y/", "usr/*/a?")
	if want := "usr/sbin/a1 usr/share/x/1 usr/share/x/z/3"; err != nil || strings.Join(paths, " ") != want {
		t.Errorf("matched %q, %v; want %s", paths, err, want)
	}
	if _, err := p.Match("a", "usr/share/gone"); report.KindOf(err) != report.NotFound || !strings.Contains(err.Error(), "package a 1.0 has no usr/share/gone") {
		t.Errorf("a pattern without a match: %v", err)
	}
	var out tree.Tree
	if err := p.Take(&out, append(paths, "lib")); err != nil || out.Get("usr/share/x/1") == nil || out.Get("usr/sbin/a1").Mode != 0o755 {
		t.Errorf("took %v, %v", out.Nodes(), err)
	}
	if err := p.Take(&out, []string{"nowhere"}); report.KindOf(err) != report.NotFound {
		t.Errorf("took what is nowhere: %v", err)
	}
	if _, err := p.File("b", "usr/lib/b.so"); err != nil {
		t.Error(err)
	}
	if used := p.Used(); len(used) != 2 || used[0].Name != "a" || used[1].Name != "b" {
		t.Errorf("used %v", used)
	}
	if at, text, err := p.Copyright("b"); err != nil || at != "usr/share/doc/b/copyright" || text.Size() != 4 {
		t.Errorf("copyright of b: %s, %v", at, err)
	}
}

func TestPoolRefusesConflicts(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "dpkg-deb")
	var a, b tree.Tree
	a.File("lib/same", 0o644, nil)
	b.File("usr/lib/same", 0o644, nil)
	dir := t.TempDir()
	var paths []string
	for name, files := range map[string]*tree.Tree{"a": &a, "b": &b} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, debtest.Deb(t, debtest.Package{Name: name, Files: files}), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	_, err := debian.NewPool(t.Context(), []debian.Package{{Name: "one"}, {Name: "two"}}, paths, dir)
	if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "packages one and two both have usr/lib/same") {
		t.Errorf("two packages with one file: %v", err)
	}
}
