package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// unit is a service and how it is.
type unit struct {
	Service
	r        *Runner
	status   watch.Value[bootreport.Service]
	restarts int
	done     chan struct{} // closed when it has ended for good
}

// Why a service is made to end, besides errStopped.
var (
	errChanged = errors.New("its configuration has changed")
	errAgain   = errors.New("again")
	errFaulty  = errors.New("it does not work")
)

func (u *unit) ended() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

// enter notes a state and tells of it.
func (u *unit) enter(state, reason string) {
	was, _ := u.status.Get()
	now := bootreport.Service{Name: u.Name, State: state, Reason: reason, SinceMS: was.SinceMS, Restarts: u.restarts}
	changed := was.State != state
	if changed {
		now.SinceMS = u.r.deps.SinceBoot().Milliseconds()
	}
	if now == was {
		return // who waits for this service would look again, and those for them
	}
	u.status.Set(now)
	if changed || was.Reason != reason {
		u.r.tell()
	}
}

// live is the service's whole life.
func (u *unit) live() {
	wait := firstWait
	for ; u.wait(); u.restarts++ {
		began := time.Now()
		err := u.once()
		switch {
		case u.r.stopping.Err() != nil:
			u.enter(bootreport.ServiceFinished, "stopped")
			return
		case errors.Is(err, errChanged):
			u.r.deps.Log.Infof("service %s starts again: %v", u.Name, err)
			wait = firstWait
			continue
		}
		if time.Since(began) >= longestWait {
			wait = firstWait
		}
		if !u.rest(err, wait) {
			return
		}
		wait = min(2*wait, longestWait)
	}
}

// rest says how the service has ended and waits until it is to start again: after a wait, or when its configuration changes.
// It returns false when it must not any more.
func (u *unit) rest(err error, wait time.Duration) bool {
	ctx, cancel := context.WithCancelCause(u.r.stopping)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel(nil)
	watchers.Go(func() { u.endAtChange(ctx, cancel) })
	state, reason := bootreport.ServiceFinished, ""
	again := u.Restart.again(err)
	switch {
	case err != nil:
		state, reason = bootreport.ServiceFailed, err.Error()
	case again:
		state, reason = bootreport.ServiceWaiting, "it ended, and starts again"
	}
	switch {
	case isFinal(err):
		u.r.deps.Log.Warnf("service %s: %v; not again until its configuration changes", u.Name, err)
	case again:
		u.complain(err, wait)
		defer time.AfterFunc(wait, func() { cancel(errAgain) }).Stop()
	}
	u.enter(state, reason)
	<-ctx.Done()
	return u.r.stopping.Err() == nil
}

// complain puts a failure into the log, unless it is the same as before.
func (u *unit) complain(err error, wait time.Duration) {
	if was, _ := u.status.Get(); err != nil && (was.State != bootreport.ServiceFailed || was.Reason != err.Error()) {
		u.r.deps.Log.Warnf("service %s: %v; again in %s", u.Name, err, wait)
	}
}

// once prepares and runs the service until it ends. The error of one that was made to end is why.
func (u *unit) once() error {
	ctx, cancel := context.WithCancelCause(u.r.stopped)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer cancel(nil)
	watchers.Go(func() { u.endAtStop(ctx, cancel) })
	watchers.Go(func() { u.endAtChange(ctx, cancel) })
	if was, _ := u.status.Get(); was.State != bootreport.ServiceFailed { // else until it is seen to run
		u.enter(bootreport.ServicePreparing, "")
	}
	if u.Prepare != nil {
		if err := u.Prepare(ctx); err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
	}
	out := u.r.output(&u.Service)
	watchers.Go(func() { u.lookAfter(ctx, cancel) })
	err := u.Run(ctx, out)
	last := out.end()
	if cause := context.Cause(ctx); cause != nil {
		if err = cause; !errors.Is(cause, errFaulty) {
			return cause
		}
	}
	if err != nil && last != "" {
		return fmt.Errorf("%w: %s", err, last)
	}
	return err
}

// endAtStop ends the service when the machine shuts down and all that need it have ended.
func (u *unit) endAtStop(ctx context.Context, end context.CancelCauseFunc) {
	select {
	case <-u.r.stopping.Done():
	case <-ctx.Done():
		return
	}
	for _, other := range u.r.all() {
		if slices.Contains(other.Needs, u.Name) {
			select {
			case <-other.done:
			case <-ctx.Done():
				return
			}
		}
	}
	end(errStopped)
}

// endAtChange ends the service when its configuration becomes another than it is now.
func (u *unit) endAtChange(ctx context.Context, end context.CancelCauseFunc) {
	if u.Revision == nil {
		return
	}
	begin, changed := u.Revision()
	for now := begin; now == begin; now, changed = u.Revision() {
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
	end(errChanged)
}

// lookAfter says when the service runs, and ends one that has ceased to work.
func (u *unit) lookAfter(ctx context.Context, end context.CancelCauseFunc) {
	if u.Check == nil {
		if sleep(ctx, steady) {
			u.enter(bootreport.ServiceRunning, "")
		}
		return
	}
	for began := time.Now(); ; {
		err := u.check(ctx)
		if err == nil {
			break
		}
		if time.Since(began) >= startLimit {
			end(fmt.Errorf("%w after %s: %w", errFaulty, startLimit, err))
		}
		if !sleep(ctx, readyPoll) {
			return
		}
	}
	if was, _ := u.status.Get(); was.State == bootreport.ServiceFailed && !sleep(ctx, steady) {
		return // one that fails again and again is not said to run in between
	}
	u.enter(bootreport.ServiceRunning, "")
	for faults := 0; sleep(ctx, checkEvery); {
		err := u.check(ctx)
		if err == nil {
			faults = 0
			continue
		}
		if faults++; faults == checkFaults {
			end(fmt.Errorf("%w any more: %w", errFaulty, err))
		}
	}
}

func (u *unit) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	err := u.Check(ctx)
	return errors.Join(err, ctx.Err())
}

// sleep waits for d, and returns false if ctx ends before.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
