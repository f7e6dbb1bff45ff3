//go:build unix

package base

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/oracle"
)

// TestBuild makes the cloud base from Debian's packages twice, the second time under another umask, time zone and locale
// and with one processor, and has others judge what came out. Packages come from the user's cache or the network.
func TestBuild(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED, NOT PASSED: -short; this test makes two bases, which takes minutes")
	}
	for _, tool := range []string{"apt-get", "dpkg-deb", "unsquashfs", "depmod", "objdump"} {
		oracle.Need(t, tool)
	}
	first, second := t.TempDir(), t.TempDir()
	parts := buildCloud(t, first)

	t.Setenv("TZ", "Asia/Kathmandu")
	t.Setenv("LC_ALL", "tr_TR.UTF-8")
	processors, mask := runtime.GOMAXPROCS(1), syscall.Umask(0o077)
	again := buildCloud(t, second)
	runtime.GOMAXPROCS(processors)
	syscall.Umask(mask)
	if a, b := fileNames(t, first), fileNames(t, second); !slices.Equal(a, b) || !maps.Equal(digests(parts), digests(again)) {
		t.Errorf("the same packages gave two bases:\n%v\n%v", digests(parts), digests(again))
	}

	root := filepath.Join(t.TempDir(), "root")
	oracle.Run(t, "unsquashfs", "-q", "-n", "-d", root, parts[Root])
	t.Run("listing", func(t *testing.T) { judgeListing(t, oracle.Run(t, "unsquashfs", "-lln", parts[Root])) })
	t.Run("modules", func(t *testing.T) { judgeModules(t, root) })
	t.Run("libraries", func(t *testing.T) { judgeLibraries(t, root) })
	if out := oracle.Run(t, "objdump", "-h", parts[SystemdStub]); !strings.Contains(out, ".sbat") {
		t.Errorf("the stub is no EFI program with an .sbat section:\n%s", out)
	}
}

// buildCloud writes a base for amd64 into the layout in dir, and returns the paths of its parts by title.
func buildCloud(t *testing.T, dir string) map[string]string {
	t.Helper()
	began := time.Now()
	b, err := Build(t.Context(), BuildOptions{Arch: "amd64", Flavour: "cloud", level: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Write(t.Context(), dir, "cloud", nil); err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, p := range b.Manifest.Parts {
		parts[p.Title] = filepath.Join(dir, "blobs/sha256", p.Digest.Hex())
	}
	for _, p := range b.Manifest.Packages {
		if p.Source == "" || p.Copyright == "" || p.SHA256 == "" {
			t.Errorf("package %+v", p)
		}
	}
	if len(parts) != 9 || len(b.Manifest.Packages) < 20 || b.Manifest.Modules < 500 {
		t.Errorf("%d parts, %d packages, %d modules", len(parts), len(b.Manifest.Packages), b.Manifest.Modules)
	}
	t.Logf("built %s in %v", b.Manifest.Version, time.Since(began).Round(time.Second))
	return parts
}

func digests(parts map[string]string) map[string]string {
	d := map[string]string{}
	for title, path := range parts {
		d[title] = filepath.Base(path)
	}
	return d
}

func fileNames(t *testing.T, layout string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(layout, "blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// judgeListing reads "mode owner size date time path" lines: no way in or up.
func judgeListing(t *testing.T, listing string) {
	seen := 0
	for line := range strings.Lines(listing) {
		f := strings.Fields(line)
		if len(f) < 6 || !strings.HasPrefix(f[5], "squashfs-root") {
			continue
		}
		seen++
		mode, owner, name := f[0], f[1], strings.TrimPrefix(f[5], "squashfs-root")
		if strings.ContainsAny(mode, "sStT") || mode[0] != 'l' && mode[8] == 'w' || owner != "0/0" || !strings.ContainsRune("dl-", rune(mode[0])) {
			t.Errorf("%s has mode %s and owner %s", name, mode, owner)
		}
		if slices.Contains([]string{"sh", "bash", "dash", "busybox", "apt", "dpkg", "rpm", "perl", "python3"}, filepath.Base(name)) {
			t.Errorf("%s is there", name)
		}
	}
	if seen < 1000 {
		t.Errorf("only %d files", seen)
	}
}

// judgeModules compares modules.dep in root with what depmod(8) says of the same modules.
func judgeModules(t *testing.T, root string) {
	dirs, _ := filepath.Glob(filepath.Join(root, "usr/lib/modules/*"))
	if len(dirs) != 1 {
		t.Fatalf("modules of %d kernels", len(dirs))
	}
	ours, err := os.ReadFile(filepath.Join(dirs[0], "modules.dep"))
	if err != nil {
		t.Fatal(err)
	}
	theirs := oracle.Run(t, "depmod", "-n", "-b", root, filepath.Base(dirs[0]))
	want := dependencies(theirs)
	if got := dependencies(string(ours)); !maps.Equal(got, want) || len(got) < 500 {
		t.Errorf("modules.dep has %d modules, depmod finds %d, and they are not the same", len(got), len(want))
	}
}

// dependencies are the sorted dependencies in modules.dep lines by module.
func dependencies(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		module, list, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok && strings.HasSuffix(module, ".ko") {
			all[module] = strings.Join(slices.Sorted(slices.Values(strings.Fields(list))), " ")
		}
	}
	return all
}

// judgeLibraries has the root's own dynamic linker load every program, and looks where it finds the libraries.
func judgeLibraries(t *testing.T, root string) {
	if runtime.GOARCH != "amd64" {
		t.Skip("SKIPPED, NOT PASSED: the programs are for amd64")
	}
	linker := filepath.Join(root, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	libs := filepath.Dir(linker)
	programs := 0
	for _, dir := range []string{"usr/bin", "usr/sbin"} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
				continue
			}
			programs++
			out := oracle.Run(t, linker, "--inhibit-cache", "--library-path", libs, "--list", filepath.Join(root, dir, e.Name()))
			for line := range strings.Lines(out) {
				if _, at, ok := strings.Cut(line, " => "); ok && !strings.HasPrefix(at, root) {
					t.Errorf("%s loads %s", e.Name(), strings.TrimSpace(line))
				}
			}
		}
	}
	if programs < 15 {
		t.Errorf("only %d programs", programs)
	}
}
