package vm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

// fakeQEMU puts a shell script in QEMU's place and gives the options that start it.
func fakeQEMU(t *testing.T, script string) Options {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "qemu-system-x86_64"), "#!/bin/sh\n"+script)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("TMPDIR", t.TempDir())
	return Options{Image: filepath.Join(dir, "qemu-system-x86_64"), Firmware: BIOS, Timeout: time.Minute}
}

// endless lets the machine run on in a process of its own, whose id it leaves in the file pid.
func endless(pid string) string { return "sleep 1000 & echo $! >" + pid + "; echo ready; wait" }

func wantGone(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	for range 100 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("process %d of the machine still runs", pid)
}

// zombie reports whether pid has ended and only waits for whoever adopted it.
func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

func TestRunUntil(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	o := fakeQEMU(t, endless(pid))
	var serial bytes.Buffer
	o.Serial, o.Until = &serial, regexp.MustCompile("read.")
	res, err := Run(context.Background(), o)
	if err != nil || res.Match != "ready" || serial.String() != "ready\n" || res.Elapsed <= 0 || res.Elapsed > o.Timeout {
		t.Errorf("Run = %+v, %v, console %q", res, err, serial.String())
	}
	wantGone(t, pid)
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRunEnds(t *testing.T) {
	ready := regexp.MustCompile("ready")
	for _, tt := range []struct {
		name, script string
		o            Options
		kind         report.Kind
		want         string // in the error; "" for success
	}{
		{"by itself", "echo bye", Options{}, 0, ""},
		{"before it said anything", "echo bye", Options{Until: ready}, report.Negative, `stopped before it said "ready"`},
		{"too late", "exec sleep 1000", Options{Until: ready, Timeout: 50 * time.Millisecond}, report.Negative, `did not say "ready" within 50ms`},
		{"never", "exec sleep 1000", Options{Timeout: 50 * time.Millisecond}, report.Canceled, "still running after 50ms"},
		{"badly", "echo no such device >&2; exit 3", Options{}, report.Unavailable, "exit status 3: no such device"},
		{"badly before it said anything", "exit 3", Options{Until: ready}, report.Unavailable, "exit status 3"},
		{"with nobody to read", "echo hello; exec sleep 1000", Options{Serial: fullDisk{}}, report.Internal, "disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := fakeQEMU(t, tt.script)
			o.Until, o.Serial = tt.o.Until, tt.o.Serial
			if tt.o.Timeout > 0 {
				o.Timeout = tt.o.Timeout
			}
			_, err := Run(context.Background(), o)
			if tt.want == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || report.KindOf(err) != tt.kind {
				t.Errorf("Run: %v (%v), want %v with %q", err, report.KindOf(err), tt.kind, tt.want)
			}
		})
	}
}

func TestRunCancel(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	o := fakeQEMU(t, endless(pid))
	ctx, cancel := context.WithCancel(context.Background())
	o.Serial = writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
	if _, err := Run(ctx, o); report.KindOf(err) != report.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	wantGone(t, pid)
	if _, err := Run(ctx, o); report.KindOf(err) != report.Canceled {
		t.Errorf("Run after the end: %v", err)
	}
}

func TestRunTypes(t *testing.T) {
	o := fakeQEMU(t, "read line; echo got $line")
	o.Input, o.Until = strings.NewReader("hello\n"), regexp.MustCompile("got hello")
	if _, err := Run(context.Background(), o); err != nil {
		t.Error(err)
	}
	pending, _ := io.Pipe() // a terminal at which nobody types
	o = fakeQEMU(t, "echo done")
	o.Input = pending
	if _, err := Run(context.Background(), o); err != nil {
		t.Error(err)
	}
}

// Every start gets blank UEFI variables of its own, whatever an earlier machine wrote into its.
func TestRunFreshVariables(t *testing.T) {
	o := fakeQEMU(t, `for a; do case $a in *unit=1*) f=${a##*file=}; head -c 5 "$f"; echo dirty >"$f"; echo " $f"; esac; done`)
	o.Firmware = UEFI
	prefix := t.TempDir() // with QEMU's own firmware, for where no distribution's is installed
	for _, f := range []string{"share/qemu/edk2-x86_64-code.fd", "share/qemu/edk2-i386-vars.fd"} {
		write(t, filepath.Join(prefix, f), "blank")
	}
	script, _ := os.ReadFile(o.Image)
	write(t, filepath.Join(prefix, "bin/qemu-system-x86_64"), string(script))
	t.Setenv("PATH", filepath.Join(prefix, "bin")+":"+os.Getenv("PATH"))
	seen := map[string]bool{}
	for range 2 {
		var serial strings.Builder
		o.Serial = &serial
		if _, err := Run(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		_, file, _ := strings.Cut(strings.TrimSpace(serial.String()), " ")
		if _, err := os.Stat(file); file == "" || seen[file] || !errors.Is(err, fs.ErrNotExist) || strings.HasPrefix(serial.String(), "dirty") {
			t.Errorf("the variables were %q; they must be fresh and gone afterwards (%v)", serial.String(), err)
		}
		seen[file] = true
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

// A machine must not outlive a bootwright that is killed without a chance to clean up.
func TestRunDiesWithParent(t *testing.T) {
	const child = "BOOTWRIGHT_VM_CHILD"
	if image := os.Getenv(child); image != "" {
		Run(context.Background(), Options{Image: image, Firmware: BIOS, Serial: os.Stdout})
		return
	}
	pid := filepath.Join(t.TempDir(), "pid")
	o := fakeQEMU(t, "echo $$ >"+pid+"; echo ready; exec sleep 1000")
	cmd := exec.Command(os.Args[0], "-test.run=^TestRunDiesWithParent$")
	cmd.Env = append(os.Environ(), child+"="+o.Image)
	started := make(chan struct{}, 1)
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		select {
		case started <- struct{}{}:
		default:
		}
		return len(p), nil
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-started
	cmd.Process.Kill()
	cmd.Wait()
	wantGone(t, pid)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
