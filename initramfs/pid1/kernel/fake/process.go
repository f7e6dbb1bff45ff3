package fake

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Program is a program of the fake machine. Its context ends with the first signal that would end a process, and the error
// is how it failed: an *kernel.ExitError, or any other, which stands for exit status 1.
type Program func(ctx context.Context, c kernel.Command) error

// Start follows kernel.Processes: it runs the program that Programs has for the path.
func (m *Machine) Start(c kernel.Command) (kernel.Process, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = append(m.started, c)
	run := m.Programs[c.Path]
	if run == nil {
		return nil, &os.PathError{Op: "fork/exec", Path: c.Path, Err: syscall.ENOENT}
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{pid: 100 + len(m.started), cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		defer cancel()
		err := run(ctx, c)
		if _, ok := err.(*kernel.ExitError); err != nil && !ok {
			if c.Stderr != nil {
				fmt.Fprintln(c.Stderr, err)
			}
			err = &kernel.ExitError{Program: c.Path, Code: 1, Signal: p.signal()}
		}
		p.err = err
	}()
	return p, nil
}

// Started are the programs that were started, in order.
func (m *Machine) Started() []kernel.Command {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]kernel.Command(nil), m.started...)
}

type process struct {
	pid    int
	cancel context.CancelFunc
	done   chan struct{}
	err    error // when done is closed

	mu  sync.Mutex
	got syscall.Signal
}

func (p *process) PID() int    { return p.pid }
func (p *process) Wait() error { <-p.done; return p.err }

func (p *process) signal() syscall.Signal {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.got
}

func (p *process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch sig {
	case syscall.SIGTERM, syscall.SIGKILL, syscall.SIGINT:
		p.got = sig
		p.cancel()
	}
	return nil
}
