package elf_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// programs are host programs to judge by: those that any Debian has, and larger ones where they are installed.
func programs() []string {
	var out []string
	for _, p := range []string{"/usr/bin/ls", "/usr/bin/perl", "/usr/bin/tar", "/usr/bin/git", "/usr/sbin/mke2fs", "/usr/sbin/mkfs.xfs",
		"/usr/sbin/cryptsetup", "/usr/bin/qemu-img", "/usr/bin/qemu-system-x86_64", "/usr/bin/xorriso", "/usr/bin/systemctl"} {
		if p, err := filepath.EvalSymlinks(p); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// lazy is a host file that is opened only when a closure asks for it.
type lazy struct {
	path string
	size int64
}

func (l lazy) Size() int64 { return l.size }

func (l lazy) ReadAt(p []byte, off int64) (int, error) {
	f, err := os.Open(l.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.ReadAt(p, off)
}

// hostTree holds the host's folders of libraries.
func hostTree(t *testing.T, programs []string) *tree.Tree {
	t.Helper()
	tr := &tree.Tree{}
	add := func(p string) {
		st, err := os.Lstat(p)
		if err != nil {
			return
		}
		n := tree.Node{Path: strings.TrimPrefix(p, "/"), Mode: st.Mode()}
		switch {
		case n.Mode.IsRegular():
			n.Content = lazy{p, st.Size()}
		case n.Mode&fs.ModeSymlink != 0:
			n.Link, _ = os.Readlink(p)
		case !n.Mode.IsDir():
			return
		}
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	for _, pattern := range []string{"/lib*", "/bin", "/sbin", "/etc/ld.so.conf", "/etc/ld.so.conf.d/*", "/usr/lib*", "/usr/lib*/*.so*", "/usr/local/lib/*.so*",
		"/usr/lib/*-linux-*", "/usr/lib/*-linux-*/*.so*", "/usr/lib/*-linux-*/systemd/*.so"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	for _, p := range append(names, programs...) {
		add(p)
	}
	return tr
}

func TestClosureLikeLdd(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "ldd")
	programs := programs()
	tr := hostTree(t, programs)
	file := regexp.MustCompile(`/\S+`)
	for _, p := range programs {
		var want []string
		for line := range strings.Lines(oracle.Run(t, "ldd", p)) {
			if _, after, ok := strings.Cut(line, "=>"); ok {
				line = after
			}
			if lib := file.FindString(line); lib != "" {
				real, err := filepath.EvalSymlinks(lib)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, strings.TrimPrefix(real, "/"))
			}
		}
		paths, err := elf.Closure(tr, []string{p}, elf.Options{})
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		got := slices.DeleteFunc(paths, func(q string) bool { return "/"+q == p || !tr.Get(q).Mode.IsRegular() })
		slices.Sort(want)
		if want = slices.Compact(want); !slices.Equal(got, want) {
			t.Errorf("%s: got\n%q\nldd says\n%q", p, got, want)
		}
	}
}

func TestNeededLikeReadelf(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "readelf")
	entry := regexp.MustCompile(`\((NEEDED|SONAME|RPATH|RUNPATH)\).*\[(.*)\]`)
	files := programs()
	libs, err := filepath.Glob("/usr/lib/*-linux-*/lib[abc]*.so.?")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range append(files, libs[:min(len(libs), 8)]...) {
		f, err := blob.OpenFile(p)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		info, err := elf.Needed(f)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		want := map[string][]string{}
		for _, m := range entry.FindAllStringSubmatch(oracle.Run(t, "readelf", "-dW", p), -1) {
			want[m[1]] = append(want[m[1]], m[2])
		}
		if !slices.Equal(info.Needed, want["NEEDED"]) || info.Soname != strings.Join(want["SONAME"], "") ||
			strings.Join(info.RPath, ":") != strings.Join(want["RPATH"], "") || strings.Join(info.RunPath, ":") != strings.Join(want["RUNPATH"], "") {
			t.Errorf("%s: got %+v, readelf says %v", p, info, want)
		}
	}
}
