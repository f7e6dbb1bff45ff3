package tree_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/tree"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	var tr tree.Tree
	tr.File("usr/lib/x86/libc.so.6", 0o755, nil)
	tr.Dir("usr/lib64", 0o755)
	tr.Symlink("lib", "usr/lib")
	tr.Symlink("lib64", "/usr/lib64")
	tr.Symlink("usr/lib64/ld.so", "../lib/x86/ld.so")
	tr.Symlink("usr/lib/x86/ld.so", "/lib/./x86//libc.so.6")
	tr.Symlink("up", "../../../../lib")
	tr.Symlink("root", "/")
	tr.Symlink("loop", "loop")
	tr.Symlink("a", "b")
	tr.Symlink("b", "a/x")
	tr.Symlink("dangling", "nowhere")
	tr.Symlink("empty", "")
	for p, want := range map[string]string{
		".":                          ".",
		"/":                          ".",
		"..":                         ".",
		"usr/lib/x86/libc.so.6":      "usr/lib/x86/libc.so.6",
		"/lib64/ld.so":               "usr/lib/x86/libc.so.6",
		"lib/x86/../x86/ld.so":       "usr/lib/x86/libc.so.6",
		"lib64/..":                   "usr", // of where the link leads, not of where it stands
		"../../up/x86":               "usr/lib/x86",
		"root/root/lib":              "usr/lib",
		"lib/":                       "usr/lib",
		"loop":                       "more than 40 symbolic links",
		"a":                          "more than 40 symbolic links",
		"dangling":                   "nowhere: file does not exist",
		"empty":                      "empty is an empty link",
		"":                           "file does not exist",
		"lib/none/x":                 "usr/lib/none: file does not exist",
		"usr/lib/x86/libc.so.6/more": "is a file, not a folder",
		"usr/lib/x86/libc.so.6/":     "is a file, not a folder",
	} {
		got, err := tr.Resolve(p)
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("Resolve(%q) = %q; want %q", p, got, want)
		}
		if err != nil && !strings.Contains(want, "more than") && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Resolve(%q): %v is not fs.ErrNotExist", p, err)
		}
	}
	way, err := tr.Trace("lib64/ld.so")
	if want := []string{"lib64", "usr/lib64/ld.so", "usr/lib/x86/ld.so", "lib", "usr/lib/x86/libc.so.6"}; err != nil || !slices.Equal(way, want) {
		t.Errorf("Trace = %q, %v; want %q", way, err, want)
	}
}

// FuzzResolve compares with the host, whose root a chroot would be: os.Root refuses to leave it, so paths and links that
// hold "..", or are absolute, are only run for their own sake.
func FuzzResolve(f *testing.F) {
	f.Add("d/e", "x/../y", "d/e/../e")
	f.Add("d", "d", "x")
	f.Add(".", "../../..", "x/./d/")
	f.Fuzz(func(t *testing.T, x, y, p string) {
		dir := t.TempDir()
		var tr tree.Tree
		tr.File("d/e/file", 0o644, nil)
		if err := os.MkdirAll(filepath.Join(dir, "d/e"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "d/e/file"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		comparable := true
		for name, target := range map[string]string{"x": x, "d/y": y} {
			tr.Symlink(name, target)
			comparable = comparable && os.Symlink(target, filepath.Join(dir, name)) == nil
		}
		got, err := tr.Resolve(p)
		if err == nil && (tree.CheckPath(got) != nil || tr.Get(got) == nil || tr.Get(got).Mode&fs.ModeSymlink != 0) {
			t.Fatalf("Resolve(%q) = %q", p, got)
		}
		for _, s := range []string{x, y, p} {
			if strings.HasPrefix(s, "/") || strings.Contains(s, "..") || strings.Contains(s, "\x00") || len(s) > 200 {
				comparable = false
			}
		}
		if !comparable || p == "" {
			return
		}
		host, hostErr := filepath.EvalSymlinks(dir + "/" + p)
		if (err == nil) != (hostErr == nil) {
			t.Fatalf("Resolve(%q) = %q, %v; the host says %q, %v", p, got, err, host, hostErr)
		}
		if err == nil && filepath.Join(dir, got) != host {
			t.Fatalf("Resolve(%q) = %q; the host says %q", p, got, host)
		}
	})
}
