package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/oracle"
)

// forbidden are the system calls that an asset build must not make: running a program, and whatever mounts or attaches.
const forbidden = "execve,execveat,mount,umount2,fsopen,fsmount,fsconfig,move_mount,open_tree,pivot_root,chroot,unshare,setns,init_module,finit_module"

// TestBuildRunsAndMountsNothing builds every kind with an empty PATH, as an unprivileged user where this test may become
// one, while strace watches: one program is executed, bootwright itself, nothing is mounted, and no loop device is opened.
func TestBuildRunsAndMountsNothing(t *testing.T) {
	t.Parallel()
	strace := oracle.Need(t, "strace")
	if _, err := embedded.Init("amd64"); err != nil && os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") != "1" {
		t.Skipf("SKIPPED, NOT PASSED: %v", err)
	}
	work := sharedDir(t)
	basetest.Write(t, filepath.Join(work, "base"), "amd64")
	program := filepath.Join(work, "bootwright")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := copyFile(program, self); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"iso", "metal-uki", "kernel", "initramfs", "cmdline", "pxe"} {
		log := filepath.Join(work, kind+".trace")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, strace, "-f", "-qq", "-o", log, "-e", "trace="+forbidden+",openat", "--",
			program, "build", kind, "--base", "dir:base", "--cache-dir", "cache", "-o", "out")
		cmd.Dir, cmd.Env = work, []string{"PATH="}
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", kind, err, out)
		}
		trace, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		checkTrace(t, kind, string(trace))
	}
}

func checkTrace(t *testing.T, kind, trace string) {
	t.Helper()
	call := regexp.MustCompile(`^\d+ +(\w+)\(`)
	executed, opened := 0, 0
	for line := range strings.Lines(trace) {
		m := call.FindStringSubmatch(line)
		switch {
		case m == nil: // the end of a call that another thread interrupted
		case m[1] == "openat":
			opened++
			if strings.Contains(line, `"/dev/loop`) {
				t.Errorf("build %s opens a loop device: %s", kind, line)
			}
		case m[1] == "execve":
			executed++
		default:
			t.Errorf("build %s: %s", kind, line)
		}
	}
	if executed != 1 || opened == 0 {
		t.Errorf("build %s executed %d programs besides itself and opened %d files", kind, executed-1, opened)
	}
}

// sharedDir is a temporary folder that another user may use too; t.TempDir's parents may not be.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bootwright-sealed-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

func copyFile(to, from string) error {
	p, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, p, 0o755)
}
