package ldcache_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/ldcache"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func format(t testing.TB, entries ...ldcache.Entry) []byte {
	t.Helper()
	b, err := ldcache.Format(entries)
	if err != nil {
		t.Fatal(err)
	}
	p, err := blob.ReadAll(b, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"libz.so.1", "libz.so.1", 0},
		{"libz.so.9", "libz.so.10", -1},
		{"libz.so.1", "libz.so", 1},
		{"libz.so", "libz.so.1", -1},
		{"liba.so", "lib1.so", -1}, // digits are after letters
		{"lib01.so", "lib1.so", 0},
		{"libb.so", "liba.so", 1},
		{"", "a", -1},
		{"lib99999999999.so", "lib1.so", 1},
	} {
		if got := ldcache.Compare(tt.a, tt.b); got != tt.want {
			t.Errorf("Compare(%q, %q) = %d; want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// TestHost: the file that ldconfig made of this machine is read as ldconfig prints it, and written again in the same order,
// by whatever order the entries came.
func TestHost(t *testing.T) {
	t.Parallel()
	const cache = "/etc/ld.so.cache"
	oracle.Need(t, "ldconfig")
	b, err := os.ReadFile(cache)
	if err != nil {
		t.Skipf("SKIPPED, NOT PASSED: %v", err)
	}
	entries, err := ldcache.Read(blob.Bytes(b))
	if err != nil {
		t.Fatal(err)
	}
	want := printed(t, cache)
	if len(entries) == 0 || len(entries) != len(want) {
		t.Fatalf("%d entries, ldconfig prints %d", len(entries), len(want))
	}
	again := slices.Clone(entries)
	slices.Reverse(again)
	file := oracle.File(t, blob.Bytes(format(t, again...)))
	if got := printed(t, file); !slices.Equal(got, want) {
		t.Errorf("ldconfig prints\n%q\nof ours, and\n%q\nof its own", got, want)
	}
	said := oracle.Run(t, "ldconfig", "-p", "-C", file)
	for _, e := range entries {
		if !strings.Contains(said, "\t"+e.Name+" (libc6") || !strings.Contains(said, "=> "+e.Path+"\n") {
			t.Errorf("ldconfig does not print %+v", e)
		}
	}
}

// printed is the lines of ldconfig -p with a library.
func printed(t *testing.T, file string) []string {
	t.Helper()
	return regexp.MustCompile(`(?m)^\t.*=> .*$`).FindAllString(oracle.Run(t, "ldconfig", "-p", "-C", file), -1)
}

func TestFlags(t *testing.T) {
	t.Parallel()
	said := oracle.Run(t, "ldconfig", "-p", "-C", oracle.File(t, blob.Bytes(format(t,
		ldcache.Entry{Name: "liba.so.1", Path: "/x/liba.so.1", Flags: ldcache.AMD64},
		ldcache.Entry{Name: "liba.so.1", Path: "/y/liba.so.1", Flags: ldcache.ARM64}))))
	for _, want := range []string{"liba.so.1 (libc6,x86-64) => /x/liba.so.1", "liba.so.1 (libc6,AArch64) => /y/liba.so.1"} {
		if !strings.Contains(said, want) {
			t.Errorf("ldconfig does not print %q:\n%s", want, said)
		}
	}
}

// TestLoader runs the dynamic linker of this machine in a root file system that has its library in a folder nobody but the
// cache speaks of.
func TestLoader(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "gcc")
	oracle.Need(t, "chroot")
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOT PASSED: chroot(2) takes root")
	}
	root := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		return file
	}
	lib, program := filepath.Join(root, "opt/libodd.so.7"), filepath.Join(root, "program")
	write("opt/keep", "")
	oracle.Run(t, "gcc", "-shared", "-Wl,-soname,libodd.so.7", "-o", lib, write("lib.c", "int odd(void) { return 7; }\n"))
	oracle.Run(t, "gcc", "-o", program, write("program.c", "int odd(void); int main(void) { return odd() != 7; }\n"), lib)
	flags := map[string]ldcache.Flags{"amd64": ldcache.AMD64, "arm64": ldcache.ARM64}[runtime.GOARCH]
	var entries []ldcache.Entry
	for _, m := range regexp.MustCompile(`(?m)^\s+(\S+) => (/\S+)|^\s+(/\S+ld\S+) \(`).FindAllStringSubmatch(oracle.Run(t, "ldd", program), -1) {
		from := m[2] + m[3]
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		to := from // the interpreter is found by its path
		if m[1] != "" {
			to = "/opt/" + m[1]
			entries = append(entries, ldcache.Entry{Name: m[1], Path: to, Flags: flags})
		}
		write(to, string(content))
	}
	if len(entries) == 0 {
		t.Skip("SKIPPED, NOT PASSED: ldd names no library")
	}
	entries = append(entries, ldcache.Entry{Name: "libodd.so.7", Path: "/opt/libodd.so.7", Flags: flags})
	for i := range 300 { // for a search of some depth
		name := "lib" + strings.Repeat("x", i%7) + strings.Repeat("1", i%5) + ".so." + string(rune('0'+i%10))
		entries = append(entries, ldcache.Entry{Name: name, Path: "/opt/" + name, Flags: flags})
	}
	write("etc/ld.so.cache", string(format(t, entries...)))
	oracle.Run(t, "chroot", root, "/program")
}

func TestBad(t *testing.T) {
	t.Parallel()
	for _, e := range []ldcache.Entry{{}, {Name: "a"}, {Name: "a\x00", Path: "b"}, {Name: "a", Path: "/b\x00c"}} {
		if _, err := ldcache.Format([]ldcache.Entry{e}); report.KindOf(err) != report.Invalid {
			t.Errorf("%+v: %v", e, err)
		}
	}
	good := format(t, ldcache.Entry{Name: "liba.so.1", Path: "/liba.so.1", Flags: ldcache.AMD64})
	for name, p := range map[string][]byte{
		"empty":         nil,
		"another":       []byte("ld.so-1.7.0" + strings.Repeat("x", 100)),
		"cut":           good[:60],
		"no end":        good[:len(good)-1],
		"big endian":    patched(good, 28, 3),
		"many entries":  patched(good, 23, 0xff),
		"string beyond": patched(good, 48+7, 0xff),
	} {
		if _, err := ldcache.Read(blob.Bytes(p)); report.KindOf(err) != report.Invalid && report.KindOf(err) != report.Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func patched(p []byte, at int, b byte) []byte {
	p = bytes.Clone(p)
	p[at] = b
	return p
}

func FuzzRead(f *testing.F) {
	f.Add(format(f, ldcache.Entry{Name: "liba.so.1", Path: "/liba.so.1", Flags: ldcache.AMD64}, ldcache.Entry{Name: "libb.so", Path: "/b", Flags: ldcache.ARM64}))
	f.Fuzz(func(t *testing.T, p []byte) {
		entries, err := ldcache.Read(blob.Bytes(p))
		if err != nil {
			return
		}
		again, err := ldcache.Read(blob.Bytes(format(t, entries...)))
		if err != nil || len(again) != len(entries) {
			t.Fatalf("%d entries become %d: %v", len(entries), len(again), err)
		}
		for i := 1; i < len(again); i++ {
			if ldcache.Compare(again[i-1].Name, again[i].Name) < 0 {
				t.Fatalf("%q is before %q", again[i-1].Name, again[i].Name)
			}
		}
	})
}
