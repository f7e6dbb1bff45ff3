package blob_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// TestWriteFileDiskFull writes to a file system that fills up, and as a process whose files may not grow. Both happen
// in a process of its own, started as TestDiskFullChild.
func TestWriteFileDiskFull(t *testing.T) {
	t.Parallel()
	namespace := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	for how, attr := range map[string]*syscall.SysProcAttr{"tmpfs": namespace, "limit": nil} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDiskFullChild$", "-test.v")
		cmd.SysProcAttr = attr
		cmd.Env = append(os.Environ(), "BLOB_TEST_FULL="+how+":"+t.TempDir())
		out, err := cmd.CombinedOutput()
		switch {
		case errors.Is(err, syscall.EPERM) || strings.Contains(string(out), "cannot mount"):
			t.Logf("%s: not allowed here: %v\n%s", how, err, out)
		case err != nil || !strings.Contains(string(out), "refused as it should"):
			t.Errorf("%s: %v\n%s", how, err, out)
		}
	}
}

// TestDiskFullChild does nothing unless TestWriteFileDiskFull starts it.
func TestDiskFullChild(t *testing.T) {
	how, dir, ok := strings.Cut(os.Getenv("BLOB_TEST_FULL"), ":")
	if !ok {
		return
	}
	path := filepath.Join(dir, "out")
	want := error(syscall.ENOSPC)
	if how == "tmpfs" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Fatalf("cannot mount: %v", err)
		}
	} else {
		want = syscall.EFBIG
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, path, blob.String("old"), blob.WriteOptions{})
	self, err := blob.OpenFile("/proc/self/exe") // larger than 1 MiB
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	for name, b := range map[string]blob.Blob{"memory": blob.Bytes(pattern(0, 2<<20)), "file": self} {
		err := blob.WriteFile(context.Background(), path, b, blob.WriteOptions{})
		if !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want %v", name, err, want)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" || len(entries(t, dir)) != 1 {
			t.Errorf("%s: holds %.20q beside %q, %v", name, got, entries(t, dir), err)
		}
	}
	if !t.Failed() {
		fmt.Println("refused as it should")
	}
}
