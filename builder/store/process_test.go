//go:build linux

package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// TestMain lets this binary be other processes: with STORE_TEST_CHILD it does one of the things below in a folder.
func TestMain(m *testing.M) {
	do, dir := os.Getenv("STORE_TEST_CHILD"), os.Getenv("STORE_TEST_DIR")
	if do == "" {
		os.Exit(m.Run())
	}
	s, err := store.Open(dir, store.Options{})
	if err == nil {
		err = map[string]func(*store.Store) error{"stall-put": stallPut, "stall-spool": stallSpool, "work": work, "fill": fill}[do](s)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func child(t *testing.T, do, dir string) *exec.Cmd {
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "STORE_TEST_CHILD="+do, "STORE_TEST_DIR="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

// stalled writes a little, says so, and waits for its death.
func stalled(w io.Writer) error {
	if _, err := io.WriteString(w, strings.Repeat("half", 1<<18)); err != nil {
		return err
	}
	fmt.Println("stalled")
	time.Sleep(time.Hour) // an empty select would be a deadlock to the Go runtime, which ends the process by itself
	return nil
}

func stallPut(s *store.Store) error {
	r, w := io.Pipe()
	go stalled(w)
	_, err := s.Put(context.Background(), "", -1, r)
	return err
}

func stallSpool(s *store.Store) error {
	_, err := s.Spool(context.Background(), "shared", func(_ context.Context, w io.Writer) error { return stalled(w) })
	return err
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"stall-put", "stall-spool"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := child(t, do, dir)
			out, err := cmd.StdoutPipe()
			must(t, err)
			must(t, cmd.Start())
			if line, err := bufio.NewReader(out).ReadString('\n'); line != "stalled\n" {
				t.Fatalf("child says %q, %v", line, err)
			}
			if n := len(files(t, filepath.Join(dir, "tmp"))); n != 1 {
				t.Fatalf("%d temporary files while the child writes, want 1", n)
			}
			// While it lives, its file is left alone and its key waited for.
			s := open(t, dir, store.Options{})
			if n := len(files(t, filepath.Join(dir, "tmp"))); n != 1 {
				t.Error("the file of a process that still writes it was swept away")
			}
			result := make(chan error)
			go func() {
				e, err := s.Spool(context.Background(), "shared", func(_ context.Context, w io.Writer) error {
					_, err := io.WriteString(w, "whole")
					return err
				})
				if err == nil && e.Digest != blob.SumBytes([]byte("whole")) {
					err = fmt.Errorf("got %s, the half of a dead process", e.Digest)
				}
				result <- err
			}()
			must(t, cmd.Process.Signal(syscall.SIGKILL))
			cmd.Wait()
			if err := <-result; err != nil {
				t.Error(err)
			}
			open(t, dir, store.Options{})
			want := map[string]int{"blobs": 1, "keys": 1, "stamps": 1, "tmp": 0, "locks": 0}
			for sub, n := range want {
				if got := files(t, filepath.Join(dir, sub)); len(got) != n {
					t.Errorf("%s holds %q, want %d", sub, got, n)
				}
			}
		})
	}
}

// work makes and puts the same things in every process and prints a line for each thing it really made.
func work(s *store.Store) error {
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for i := range 32 {
		wg.Go(func() {
			content := strings.Repeat(fmt.Sprint(i%8, " "), 50_000)
			want := blob.SumBytes([]byte(content))
			e, err := s.Spool(context.Background(), fmt.Sprint("key ", i%8), func(_ context.Context, w io.Writer) error {
				fmt.Println("made", i%8)
				_, err := io.WriteString(w, content)
				return err
			})
			if err == nil && e.Digest != want {
				err = fmt.Errorf("key %d gave %s", i%8, e.Digest)
			}
			if err == nil {
				_, err = s.Put(context.Background(), want, int64(len(content)), strings.NewReader(content))
			}
			errs <- err
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestManyProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for range 4 {
		wg.Go(func() {
			out, err := child(t, "work", dir).Output()
			if err != nil {
				t.Errorf("child: %v: %s", err, out)
			}
			mu.Lock()
			defer mu.Unlock()
			for line := range strings.Lines(string(out)) {
				made[line]++
			}
		})
	}
	wg.Wait()
	if len(made) != 8 {
		t.Errorf("made %d keys, want 8", len(made))
	}
	for key, n := range made {
		if n != 1 {
			t.Errorf("%q by %d processes, want 1", key, n)
		}
	}
	list, err := open(t, dir, store.Options{Verify: true}).List()
	if err != nil || len(list) != 8 {
		t.Errorf("List = %v, %v; want 8 entries", list, err)
	}
}

// fill puts more than the system lets it write, as on a full disk.
func fill(s *store.Store) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}); err != nil {
		return err
	}
	_, err := s.Put(context.Background(), "", -1, strings.NewReader(strings.Repeat("x", 3<<20)))
	if err == nil {
		return errors.New("no error")
	}
	fmt.Println(report.KindOf(err), report.HintOf(err) != "", err)
	return nil
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	e := put(t, s, "from before")
	out, err := child(t, "fill", s.Dir()).Output()
	if err != nil || !strings.HasPrefix(string(out), "unavailable true cache "+s.Dir()) || !strings.Contains(string(out), "file too large") {
		t.Errorf("child: %v: %s", err, out)
	}
	if got := files(t, s.Dir()); len(got) != 2 {
		t.Errorf("left: %q, want the old entry and its stamp", got)
	}
	b, err := open(t, s.Dir(), store.Options{Verify: true}).Blob(t.Context(), e.Digest)
	must(t, err)
	wantContent(t, b, "from before")
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	writeFile(t, file, "")
	_, err := store.Open(filepath.Join(file, "cache"), store.Options{})
	wantError(t, err, report.Unavailable, file)
	if report.HintOf(err) == "" {
		t.Errorf("no hint: %v", err)
	}

	dir := filepath.Join(t.TempDir(), "cache")
	e := put(t, open(t, dir, store.Options{}), "from before")
	for _, sub := range []string{"blobs/sha256", "stamps", "tmp", "locks", "keys"} {
		must(t, os.Chmod(filepath.Join(dir, sub), 0o500))
	}
	t.Cleanup(func() {
		for _, sub := range []string{"blobs/sha256", "stamps", "tmp", "locks", "keys"} {
			os.Chmod(filepath.Join(dir, sub), 0o700)
		}
	})
	var got blob.Blob
	var openErr, blobErr, putErr, spoolErr error
	unprivileged(t, dir, func() {
		var s *store.Store
		if s, openErr = store.Open(dir, store.Options{}); openErr != nil {
			return
		}
		t.Cleanup(func() { s.Close() })
		got, blobErr = s.Blob(t.Context(), e.Digest)
		_, putErr = s.Put(t.Context(), "", -1, strings.NewReader("new"))
		_, spoolErr = s.Spool(t.Context(), "k", func(context.Context, io.Writer) error { return nil })
	})
	if openErr != nil || blobErr != nil {
		t.Fatalf("what is there cannot be read: %v, %v", openErr, blobErr)
	}
	wantContent(t, got, "from before")
	wantError(t, putErr, report.Unavailable, dir, "permission denied")
	wantError(t, spoolErr, report.Unavailable, dir, "permission denied")
}

// unprivileged runs f on a thread without root's power over files, which belong to nobody in dir.
func unprivileged(t *testing.T, dir string, f func()) {
	if os.Getuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	must(t, os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o711)) // testing makes it for root only
	must(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Lchown(path, nobody, nobody)
		}
		return err
	}))
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread dies with the goroutine
		if err := unix.Setfsuid(nobody); err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	<-done
}
