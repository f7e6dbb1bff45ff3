package linux

import (
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// children are the processes that init started, which are waited for one by one; what else ends is an orphan that Reap
// collects.
type children struct {
	mu  sync.Mutex
	own map[int]bool
}

// outputDelay is how long output is read from what a program left behind, such as a daemon that still holds its standard
// output.
const outputDelay = 2 * time.Second

// Start follows Processes.
func (l Machine) Start(c kernel.Command) (kernel.Process, error) {
	cmd := &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: c.Env, Dir: c.Dir,
		Stdin: c.Stdin, Stdout: c.Stdout, Stderr: c.Stderr, WaitDelay: outputDelay,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Chroot: c.Root},
	}
	if cmd.Env == nil {
		cmd.Env = []string{kernel.Path}
	}
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	if c.Cgroup != "" {
		dir, err := os.Open(c.Cgroup)
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	l.children.mu.Lock() // so that Reap does not take it for an orphan
	defer l.children.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	l.children.own[cmd.Process.Pid] = true
	p := &process{cmd: cmd, done: make(chan struct{})}
	go p.wait(l)
	return p, nil
}

type process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error // when done is closed
}

func (p *process) wait(l Machine) {
	err := p.cmd.Wait()
	l.children.mu.Lock()
	delete(l.children.own, p.cmd.Process.Pid)
	l.children.mu.Unlock()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		status := failed.Sys().(syscall.WaitStatus)
		e := &kernel.ExitError{Program: p.cmd.Path, Code: status.ExitStatus()}
		if status.Signaled() {
			e.Signal = status.Signal()
		}
		err = e
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it ended well; what it left behind keeps its output
	}
	p.err = err
	close(p.done)
	l.Reap() // orphans may have waited behind it
}

func (p *process) PID() int { return p.cmd.Process.Pid }

func (p *process) Wait() error {
	<-p.done
	return p.err
}

func (p *process) Signal(sig syscall.Signal) error {
	err := p.cmd.Process.Signal(sig)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Reap follows Power. It looks before it collects: what init started itself is left to who waits for it, and then called
// for again.
func (l Machine) Reap() int {
	l.children.mu.Lock()
	defer l.children.mu.Unlock()
	for n := 0; ; {
		var info waitInfo
		err := unix.Waitid(unix.P_ALL, 0, info.asSiginfo(), unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch pid := info.pid(); {
		case errors.Is(err, unix.EINTR):
		case err != nil || pid == 0 || l.children.own[pid]:
			return n
		default:
			if _, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); err == nil {
				n++
			}
		}
	}
}
