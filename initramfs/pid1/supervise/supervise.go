// Package supervise runs what lives as long as the machine: tasks that are started again when they fail, and goroutines
// whose panic is somebody's concern.
package supervise

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"
)

// Group is a set of goroutines that end together.
type Group struct {
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	onPanic func(name string, value any, stack []byte)
	onError func(name string, err error, again time.Duration)
}

// New is a group without goroutines. onPanic is called in the goroutine that panics, and onError when a task fails and is
// to be started again.
func New(onPanic func(name string, value any, stack []byte), onError func(name string, err error, again time.Duration)) *Group {
	ctx, cancel := context.WithCancel(context.Background())
	return &Group{ctx: ctx, cancel: cancel, onPanic: onPanic, onError: onError}
}

// Context ends when the group stops.
func (g *Group) Context() context.Context { return g.ctx }

// guard runs f, and hands a panic to onPanic.
func (g *Group) guard(name string, f func()) {
	defer func() {
		if v := recover(); v != nil {
			g.onPanic(name, v, debug.Stack())
		}
	}()
	f()
}

// Go runs f in a guarded goroutine.
func (g *Group) Go(name string, f func()) {
	go g.guard(name, f)
}

// The waits before a task is started again: the first, then twice the last, up to the longest. A task that ran for that
// long starts afresh.
const (
	firstWait   = time.Second
	longestWait = time.Minute
)

// Run runs task until it returns nil or the group stops, and again when it returns an error.
func (g *Group) Run(name string, task func(ctx context.Context) error) {
	g.running.Add(1)
	g.Go(name, func() {
		defer g.running.Done()
		wait := firstWait
		for {
			started := time.Now()
			err := task(g.ctx)
			if err == nil || g.ctx.Err() != nil {
				return
			}
			if time.Since(started) >= longestWait {
				wait = firstWait
			}
			g.onError(name, err, wait)
			select {
			case <-g.ctx.Done():
				return
			case <-time.After(wait):
			}
			wait = min(2*wait, longestWait)
		}
	})
}

// ErrStillRunning is that tasks did not end in time.
var ErrStillRunning = errors.New("tasks are still running")

// Stop tells all tasks to end and waits for them, but no longer than timeout.
func (g *Group) Stop(timeout time.Duration) error {
	g.cancel()
	done := make(chan struct{})
	go func() { g.running.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(timeout):
		return ErrStillRunning
	}
}
