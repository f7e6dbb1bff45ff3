package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/builder/basetest"
)

// TestFullDisk builds onto a disk that is full before the end, and with a cache on such a disk: the exit code says whose turn it is, the
// file that was there stays, and nothing is left beside it.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	basetest.Write(t, filepath.Join(work, "base"), "amd64")
	if err := os.Mkdir(filepath.Join(work, "small"), 0o755); err != nil {
		t.Fatal(err)
	}
	const script = `mount -t tmpfs -o size=2m none small || { echo cannot mount; exit 0; }
		echo old >small/metal-amd64.raw; echo old >small/metal-amd64.raw.zst
		for out in raw .zst; do
			bootwright build metal --base dir:base --cache-dir cache -o small --set output.outFormat=$out; echo "$out $?"
		done
		bootwright build metal --base dir:base --cache-dir small/cache -o out; echo "cache $?"
		rm -r small/cache; ls -A small out; cat small/*`
	cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
	cmd.Dir = work
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	text, err := cmd.CombinedOutput()
	out := string(text)
	if err != nil && len(out) == 0 || strings.Contains(out, "cannot mount") {
		if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1" {
			t.Fatalf("a file system of one's own cannot be mounted: %v\n%s", err, out)
		}
		t.Skipf("SKIPPED, NOT PASSED: a file system of one's own cannot be mounted: %v %s", err, out)
	}
	for _, want := range []string{
		"write small/metal-amd64.raw: ", "no space left on device", "\nraw 5\n", "\n.zst 5\n", "\ncache 5\n",
		"\nsmall:\nmetal-amd64.raw\nmetal-amd64.raw.zst\n", "\nold\nold\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("without %q:\n%s", want, out)
		}
	}
}
