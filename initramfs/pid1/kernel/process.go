package kernel

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strings"
	"syscall"
	"time"
)

// Processes runs programs.
type Processes interface {
	// Start starts a program, in a session of its own.
	Start(c Command) (Process, error)
}

// Command is a program to run.
type Command struct {
	Path   string    // absolute
	Args   []string  // without the program's own name
	Env    []string  // NAME=VALUE; where nil, a PATH
	Dir    string    // the working directory; empty is /
	Root   string    // what is / for it, where it is another folder
	Cgroup string    // a folder of the cgroup file system that it starts in, which must be there; empty is init's
	Stdin  io.Reader // nil is empty
	Stdout io.Writer // nil is lost
	Stderr io.Writer // nil is lost
}

// Path is the environment of a program that is given none.
const Path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Process is a program that was started.
type Process interface {
	PID() int
	// Wait waits until the process has ended and what it printed has been written. The error is nil where it ended well,
	// an *ExitError where it did not.
	Wait() error
	// Signal sends it a signal; one that has ended gets none, and that is no error.
	Signal(sig syscall.Signal) error
}

// ExitError is how a program failed.
type ExitError struct {
	Program string
	Code    int            // exit status
	Signal  syscall.Signal // that ended it, or 0
	Said    string         // the end of its error output, where that was kept
}

func (e *ExitError) Error() string {
	what := fmt.Sprintf("%s: exit status %d", path.Base(e.Program), e.Code)
	if e.Signal != 0 {
		what = fmt.Sprintf("%s: ended by %s", path.Base(e.Program), e.Signal)
	}
	if e.Said != "" {
		what += ": " + e.Said
	}
	return what
}

// grace is how long a program that is told to end has before it is ended.
const grace = 10 * time.Second

// Output runs a program to its end and returns what it printed on standard output. The error of a program that failed has
// the end of what it printed on standard error. A program that is still running when ctx ends is told to end, and ended
// if it does not.
func Output(ctx context.Context, p Processes, c Command) ([]byte, error) {
	var out bytes.Buffer
	said := tail{limit: 2 << 10}
	c.Stdout, c.Stderr = &out, &said
	process, err := p.Start(c)
	if err != nil {
		return nil, err
	}
	err = WaitOrEnd(ctx, process)
	if failed, ok := err.(*ExitError); ok {
		failed.Said = strings.Join(strings.Fields(said.String()), " ")
	}
	return out.Bytes(), err
}

// WaitOrEnd waits for a process to end, and ends it when ctx ends: with SIGTERM, and after a grace with SIGKILL. The error of
// a process that was ended is that of ctx.
func WaitOrEnd(ctx context.Context, p Process) error {
	done := make(chan error, 1)
	go func() { done <- p.Wait() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	p.Signal(syscall.SIGTERM)
	select {
	case <-done:
	case <-time.After(grace):
		p.Signal(syscall.SIGKILL)
		<-done
	}
	return context.Cause(ctx)
}

// tail keeps the end of what is written.
type tail struct {
	limit int
	bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.Buffer.Write(p)
	if more := t.Len() - t.limit; more > 0 {
		t.Next(more)
	}
	return len(p), nil
}
