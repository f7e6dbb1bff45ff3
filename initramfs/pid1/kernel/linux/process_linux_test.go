package linux

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

func TestProcesses(t *testing.T) {
	l := New()
	out, err := kernel.Output(t.Context(), l, kernel.Command{Path: "/bin/sh", Args: []string{"-c", "cat; pwd; echo $A"}, Env: []string{"A=b"}, Stdin: strings.NewReader("in\n")})
	if string(out) != "in\n/\nb\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	_, err = kernel.Output(t.Context(), l, kernel.Command{Path: "/bin/sh", Args: []string{"-c", "echo why >&2; exit 3"}})
	if failed, ok := errors.AsType[*kernel.ExitError](err); !ok || failed.Code != 3 || err.Error() != "sh: exit status 3: why" {
		t.Errorf("%v", err)
	}
	if _, err := kernel.Output(t.Context(), l, kernel.Command{Path: "/nothing"}); err == nil {
		t.Error("what is not there was started")
	}
	_, err = kernel.Output(t.Context(), l, kernel.Command{Path: "/bin/sh", Args: []string{"-c", "kill -9 $$"}})
	if failed, ok := errors.AsType[*kernel.ExitError](err); !ok || failed.Signal != syscall.SIGKILL {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := kernel.Output(ctx, l, kernel.Command{Path: "/bin/sleep", Args: []string{"1000"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if len(l.children.own) != 0 {
		t.Errorf("still known: %v", l.children.own)
	}
}

// TestReapLeavesOwn: orphans are collected all the time while programs run, and no program's status is lost.
func TestReapLeavesOwn(t *testing.T) {
	l := New()
	done := make(chan struct{})
	var reaper, programs sync.WaitGroup
	reaper.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				l.Reap()
			}
		}
	})
	for range 4 {
		programs.Go(func() {
			for range 20 {
				_, err := kernel.Output(t.Context(), l, kernel.Command{Path: "/bin/sh", Args: []string{"-c", "exit 7"}})
				if failed, ok := errors.AsType[*kernel.ExitError](err); !ok || failed.Code != 7 {
					t.Errorf("status lost: %v", err)
				}
			}
		})
	}
	orphan := exec.Command("/bin/true") // started behind the back of l
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	programs.Wait()
	close(done)
	reaper.Wait()
	if err := syscall.Kill(orphan.Process.Pid, 0); err == nil {
		t.Error("an orphan was left")
	}
}

// TestOutputOfDaemon: what a program leaves behind keeps nobody waiting.
func TestOutputOfDaemon(t *testing.T) {
	var out bytes.Buffer
	p, err := New().Start(kernel.Command{Path: "/bin/sh", Args: []string{"-c", "echo on; sleep 60 & "}, Stdout: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(-p.PID(), syscall.SIGKILL)
	if err := p.Wait(); err != nil || out.String() != "on\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
