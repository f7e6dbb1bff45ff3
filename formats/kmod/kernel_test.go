package kmod

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// kernel is an unpacked Debian kernel package: the folder that holds lib/modules, and the release.
type kernel struct{ root, release string }

func (k kernel) modules() string { return filepath.Join(k.root, "lib/modules", k.release) }

// debianKernel is the kernel that the Debian package of that name depends on: from $BOOTWRIGHT_KERNEL_DIR/package, or
// downloaded by apt-get once into the user's cache.
func debianKernel(t testing.TB, meta string) kernel {
	t.Helper()
	root := filepath.Join(os.Getenv("BOOTWRIGHT_KERNEL_DIR"), meta)
	if os.Getenv("BOOTWRIGHT_KERNEL_DIR") == "" {
		oracle.Need(t, "apt-get")
		cache, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(cache, "bootwright", "test", meta)
		if _, err := os.Stat(root); err != nil {
			download(t, meta, root)
		}
	}
	found, _ := filepath.Glob(filepath.Join(root, "lib/modules/*"))
	if len(found) != 1 {
		t.Fatalf("%s holds %d kernels; one was wanted", root, len(found))
	}
	return kernel{root, filepath.Base(found[0])}
}

// download unpacks the package into a folder beside root and renames it, so that two tests may do it at once.
func download(t testing.TB, meta, root string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(root), 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(root), meta)
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	_, depends, _ := strings.Cut(oracle.Run(t, "apt-cache", "depends", meta), "Depends: ")
	pkg, _, _ := strings.Cut(depends, "\n")
	cmd := exec.Command("apt-get", "download", pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("apt-get download %s: %v\n%s", pkg, err, out)
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
	unpacked := filepath.Join(dir, "root")
	for _, deb := range debs {
		oracle.Run(t, "dpkg-deb", "-x", deb, unpacked)
	}
	if err := os.Rename(unpacked, root); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
}

// tree is the kernel's modules and index files below usr/lib/modules.
func (k kernel) tree(t testing.TB) *tree.Tree {
	t.Helper()
	out := &tree.Tree{}
	err := filepath.WalkDir(k.modules(), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(p)
		rel, _ := filepath.Rel(k.modules(), p)
		out.File("usr/lib/modules/"+k.release+"/"+filepath.ToSlash(rel), 0o644, blob.Bytes(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
