package linux

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

func TestFS(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("A"), 0o644); err != nil {
		t.Fatal(err)
	}
	fsys := kernel.FS(New(), dir)
	if err := fstest.TestFS(fsys, "a"); err != nil {
		t.Error(err)
	}
	if _, err := fsys.Open("../a"); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}

// TestLinux tries what needs no privilege, and what the kernel refuses.
func TestLinux(t *testing.T) {
	m := New()
	a := m.SinceBoot()
	time.Sleep(time.Millisecond)
	if b := m.SinceBoot(); a <= 0 || b < a+time.Millisecond {
		t.Errorf("since boot %s, then %s", a, b)
	}
	dir := t.TempDir()
	for _, name := range []string{"broken.ko", "broken.ko.zst"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte("not a module"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := m.LoadModule(file, ""); err == nil {
			t.Errorf("%s was loaded", name)
		}
	}
	if err := m.LoadModule(filepath.Join(dir, "nothing.ko"), ""); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := m.AttachLoop(filepath.Join(dir, "nothing")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestFlags(t *testing.T) {
	for flag, want := range map[kernel.Flags]kernel.Flags{kernel.ReadOnly: unix.MS_RDONLY, kernel.NoSUID: unix.MS_NOSUID, kernel.NoDev: unix.MS_NODEV, kernel.NoExec: unix.MS_NOEXEC} {
		if flag != want {
			t.Errorf("flag %#x is %#x", flag, want)
		}
	}
}

func TestReap(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); New().Reap() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process that has ended is never collected")
		}
	}
	if err := unix.Kill(cmd.Process.Pid, 0); err == nil {
		t.Error("it is still there")
	}
}

// TestReadFile: files of every length come whole, and so do those that say they have none.
func TestReadFile(t *testing.T) {
	t.Parallel()
	m := New()
	name := filepath.Join(t.TempDir(), "file")
	for _, n := range []int{0, 1, 511, 512, 513, 5000, 1 << 20} {
		want := bytes.Repeat([]byte("abc"), n)[:n]
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := m.ReadFile(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
	if got, err := m.ReadFile("/proc/self/status"); err != nil || !bytes.Contains(got, []byte("VmRSS:")) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := m.ReadFile(name + "x"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name+"x") {
		t.Errorf("%v", err)
	}
	if _, err := m.ReadFile("/proc"); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("%v", err)
	}
}
