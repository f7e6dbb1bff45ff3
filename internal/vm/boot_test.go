package vm_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
)

// TestDirectBoot starts a real kernel with the smallest init there is, which says what it was given.
func TestDirectBoot(t *testing.T) {
	vmtest.Need(t)
	vmtest.Boot(t, vm.Options{
		Kernel: vmtest.BasePart(t, "vmlinuz"),
		Initrd: tinyInitrd(t),
		Append: "console=ttyS0 quiet panic=-1 -- one two",
		Until:  regexp.MustCompile(`hello from init \[one two\]`),
	})
}

// tinyInitrd is an initramfs with a static init compiled from testdata.
func tinyInitrd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, "init"), "./testdata/init")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	init, err := blob.OpenFile(filepath.Join(dir, "init"))
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	var root tree.Tree
	root.Add(tree.Node{Path: "dev/console", Mode: os.ModeDevice | os.ModeCharDevice | 0o600, Major: 5, Minor: 1})
	root.File("init", 0o755, init)
	archive, err := cpio.Format(&root, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "initrd")
	if err := blob.WriteFile(context.Background(), path, archive, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}
