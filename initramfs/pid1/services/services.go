// Package services runs what a machine runs beside init: each service waits for what it depends on, is prepared, runs, is
// looked after, starts again by its policy, and ends in the reverse order at shutdown. A service that fails holds nothing
// up: it says why, and when it is tried again.
//
// The package knows no service itself; see containerd and container.
package services

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/bootwright/bootwright/machine/bootreport"
)

// Service is one thing to run.
type Service struct {
	Name    string
	Needs   []string    // services that must run, or have finished, before it; they end after it
	Waits   []Condition // other things that must be
	Restart Policy
	Console bool // what it prints is for the console too

	// Revision, where it is set, is what the service's configuration amounts to, and a channel that is closed when it may
	// have changed. A service whose revision is another than when it began is started anew.
	Revision func() (string, <-chan struct{})
	// Prepare, where it is set, makes what Run needs. It is called before each Run.
	Prepare func(ctx context.Context) error
	// Run runs the service until it ends, or ctx does, and writes what it prints to output. Its error is why the service failed.
	Run func(ctx context.Context, output io.Writer) error
	// Check, where it is set, tells whether the running service works. It is ready with the first nil, and started
	// anew where that does not come.
	Check func(ctx context.Context) error
}

// Condition is something that a service waits for.
type Condition struct {
	Name string // as in "waits for the network"
	// Met tells whether it is so, and gives a channel that is closed when that may have changed; nil is never, and then it is
	// asked every second.
	Met func() (bool, <-chan struct{})
}

// Policy is when a service that has ended starts again.
type Policy string

// The policies.
const (
	Always       Policy = "always" // also the meaning of ""
	Never        Policy = "never"
	UntilSuccess Policy = "untilSuccess"
)

// ErrInterrupted is that a service ended, or could not begin, for what is not its own fault. It starts again whatever its
// policy.
var ErrInterrupted = errors.New("interrupted")

// Final is err of a service that would always end in the same way. Whatever its policy, it starts again only when its configuration changes.
func Final(err error) error { return final{err} }

type final struct{ error }

func (f final) Unwrap() error { return f.error }

func isFinal(err error) bool {
	_, is := errors.AsType[final](err)
	return is
}

// again tells whether a service starts again that ended with err.
func (p Policy) again(err error) bool {
	switch {
	case errors.Is(err, ErrInterrupted):
		return true
	case isFinal(err):
		return false
	}
	switch p {
	case Never:
		return false
	case UntilSuccess:
		return err != nil
	}
	return true
}

// Log is where the runner says what a person should know.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Deps are what a Runner needs.
type Deps struct {
	Log Log
	// Output opens a writer for what a service prints each time it runs; nil keeps nothing.
	Output func(service string) io.WriteCloser
	// Changed is told of the services whenever the state of one has changed; they are in the order in which they were added.
	Changed func([]bootreport.Service)
	// SinceBoot is the time that reports count in.
	SinceBoot func() time.Duration
}

// The times of a service's life.
const (
	firstWait   = time.Second     // before it starts again; doubled each time
	longestWait = time.Minute     // but no more than this; one that ran for so long starts afresh
	steady      = 2 * time.Second // a service without a check is ready when it has run for this long
	readyPoll   = 500 * time.Millisecond
	startLimit  = 2 * time.Minute // one whose check still fails then is ended
	checkEvery  = time.Minute
	checkLimit  = 20 * time.Second // for one check
	checkFaults = 3                // so many checks that fail one after another end a service
	pathPoll    = time.Second
)
