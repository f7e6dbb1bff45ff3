// Package realtest makes extensions for tests from real parts: modules of Debian's kernel packages, and modules that it
// compiles against Debian's kernel headers (testdata/extensions). What is missing for that skips a test, see oracle.
package realtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// Comedi is an extension with two modules of the kernel's package that the cloud base leaves out: comedi_test, with the
// parameter noauto, links against comedi.
func Comedi(t testing.TB, release string) *tree.Tree {
	t.Helper()
	pkg := kernelPackage(t, release)
	ext := exttest.New("comedi", release)
	for _, m := range []string{"comedi.ko", "drivers/comedi_test.ko"} {
		at := "lib/modules/" + release + "/kernel/drivers/comedi/" + m
		ext.File("rootfs/"+at, 0o644, file(t, filepath.Join(pkg, at)))
	}
	return ext
}

// Microcode is an extension with updates for Intel's and AMD's processors that change none: Debian's are not free, and so
// not where tests find packages.
func Microcode() *tree.Tree {
	ext := exttest.New("microcode", "1")
	ext.File("rootfs/usr/lib/firmware/intel-ucode/06-55-04", 0o644, blob.Bytes(exttest.IntelMicrocode(0x50654)))
	ext.File("rootfs/usr/lib/firmware/intel-ucode/06-1a-05", 0o644, blob.Bytes(exttest.IntelMicrocode(0x106a5)))
	ext.File("rootfs/usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin", 0o644, blob.Bytes(exttest.AMDMicrocode(0)))
	return ext
}

// GPU is an extension in the shape of a graphics driver's: four modules with dependencies, soft ones, parameters and
// firmware, a program, a part of containerd's configuration. GPUPatch is the configuration that loads it.
func GPU(t testing.TB, release string) *tree.Tree {
	t.Helper()
	source := filepath.Join(testdata(), "gpu")
	ext, err := tree.FromDir(filepath.Join(source, "extension"))
	if err != nil {
		t.Fatal(err)
	}
	built := compile(t, filepath.Join(source, "modules"), release)
	for _, m := range []string{"bwgpu", "bwgpu-modeset", "bwgpu-peermem", "bwgpu-uvm"} {
		ext.File("rootfs/usr/lib/modules/"+release+"/extra/bwgpu/"+m+".ko", 0o644, file(t, filepath.Join(built, m+".ko")))
	}
	hook := filepath.Join(t.TempDir(), "hook")
	oracle.Run(t, "gcc", "-static", "-O2", "-s", "-o", hook, filepath.Join(source, "hook.c"))
	ext.File("rootfs/usr/local/bin/bwgpu-hook", 0o755, file(t, hook))
	return ext
}

// GPUPatch is the file with the machine configuration patch that loads GPU.
func GPUPatch() string { return filepath.Join(testdata(), "gpu", "patch.yaml") }

// Kernel is the file of Debian's kernel of that release, in the package of its own.
func Kernel(t testing.TB, release string) string {
	t.Helper()
	return filepath.Join(kernelPackage(t, release), "boot", "vmlinuz-"+release)
}

// Write puts an extension into a new folder of the test's.
func Write(t testing.TB, ext *tree.Tree) string {
	t.Helper()
	dir := t.TempDir()
	for _, n := range ext.Nodes() {
		at := filepath.Join(dir, filepath.FromSlash(n.Path))
		var err error
		switch {
		case n.Mode.IsDir():
			err = os.MkdirAll(at, n.Mode.Perm())
		case n.Link != "":
			err = os.Symlink(n.Link, at)
		default:
			var content []byte
			if content, err = blob.ReadAll(n.Open(), 1<<30); err == nil {
				err = os.WriteFile(at, content, n.Mode.Perm())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// testdata is the folder of sources, wherever the test runs.
func testdata() string {
	_, here, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(here), "..", "..", "testdata", "extensions")
}

func file(t testing.TB, at string) blob.Blob {
	t.Helper()
	content, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return blob.Bytes(content)
}

// compile builds the modules whose sources are in dir for release, in a new folder.
func compile(t testing.TB, dir, release string) string {
	t.Helper()
	headers := "/usr/src/linux-headers-" + release
	if _, err := os.Stat(headers); err != nil {
		if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1" {
			t.Fatalf("%s is required here and missing; `make tools` installs it", headers)
		}
		t.Skipf("SKIPPED, NOT PASSED: %s is missing; `make tools` installs it", headers)
	}
	oracle.Need(t, "gcc")
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	oracle.Run(t, "make", "-s", "-C", headers, "M="+work, "modules")
	return work
}

// kernelPackage is the unpacked package of the kernel, kept in the user's cache.
func kernelPackage(t testing.TB, release string) string {
	t.Helper()
	oracle.Need(t, "apt-get")
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := "linux-image-" + release
	at := filepath.Join(cache, "bootwright", "test", name)
	if _, err := os.Stat(at); err == nil {
		return at
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	work, err := os.MkdirTemp(filepath.Dir(at), name)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(work)
	cmd := exec.Command(oracle.Need(t, "apt-get"), "download", name)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("apt-get download %s: %v\n%s", name, err, out)
	}
	debs, _ := filepath.Glob(filepath.Join(work, "*.deb"))
	unpacked := filepath.Join(work, "root")
	for _, deb := range debs {
		oracle.Run(t, "dpkg-deb", "-x", deb, unpacked)
	}
	if err := os.Rename(unpacked, at); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	return at
}
