package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootassets"
)

// installerRoot is the root file system of an installer for amd64.
func installerRoot(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	file, err := blob.OpenFile(built(t, "installer", "amd64"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	archive, err := tar.ReadBlob(file, tar.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := blob.ReadAll(archive.Get("manifest.json").Open(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var images []struct{ Layers []string }
	if err := json.Unmarshal(text, &images); err != nil {
		t.Fatal(err)
	}
	for _, name := range images[0].Layers {
		layer, err := tar.ReadBlob(archive.Get(name).Open(), tar.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		unpack(t, dir, layer)
	}
	return dir
}

func unpack(t *testing.T, dir string, layer *tree.Tree) {
	t.Helper()
	for _, n := range layer.Nodes() {
		path := filepath.Join(dir, n.Path)
		if !n.Mode.IsRegular() {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := blob.WriteFile(t.Context(), path, n.Open(), blob.WriteOptions{Mode: n.Mode.Perm()}); err != nil {
			t.Fatal(err)
		}
	}
}

// installedDisk is a file onto which the installer in root installed.
func installedDisk(t *testing.T, root string, flags ...string) string {
	t.Helper()
	disk := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(disk)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(4 << 30); err != nil {
		t.Fatal(err)
	}
	f.Close()
	args := append([]string{"install", "--assets", filepath.Join(root, bootassets.Folder, "amd64"), "--disk", disk}, flags...)
	if out, err := exec.CommandContext(t.Context(), filepath.Join(root, "bin/installer"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return disk
}

// TestBootInstalled boots a disk that the installer's own program made, on both firmwares, with a kernel argument of its own.
func TestBootInstalled(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	root := installerRoot(t)
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		disk := installedDisk(t, root, "--extra-kernel-arg", "bootwright.marker=installed")
		console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Firmware: firmware, MemoryMiB: 1024})
		checkReport(t, vmtest.Report(t, console), string(firmware), "amd64")
		if !strings.Contains(console, "bootwright.marker=installed") {
			t.Errorf("%s: the kernel did not get its argument", firmware)
		}
	}
}
