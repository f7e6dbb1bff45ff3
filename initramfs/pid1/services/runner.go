package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Runner runs services. Its methods may be called from several goroutines.
type Runner struct {
	deps  Deps
	spawn func(name string, f func())

	mu    sync.Mutex
	units []*unit
	added watch.Value[int]

	stopping     context.Context // every service is to end, when it is its turn
	stop         context.CancelCauseFunc
	stopped      context.Context // no service may run any more
	stopAtOnce   context.CancelCauseFunc
	reportsAlone sync.Mutex
}

// New is a runner without services; its goroutines are started by spawn.
func New(deps Deps, spawn func(name string, f func())) *Runner {
	r := &Runner{deps: deps, spawn: spawn}
	r.stopped, r.stopAtOnce = context.WithCancelCause(context.Background())
	r.stopping, r.stop = context.WithCancelCause(r.stopped)
	return r
}

// Add adds a service and begins with it. The error says that there is one of that name, or that the runner has stopped.
func (r *Runner) Add(s Service) error {
	u, err := r.add(s, bootreport.Service{Name: s.Name, State: bootreport.ServiceWaiting})
	if err != nil {
		return err
	}
	r.spawn("service "+s.Name, func() {
		defer close(u.done)
		u.live()
	})
	return nil
}

// Skip adds a service that this machine cannot run and says why, for the report.
func (r *Runner) Skip(name, reason string) error {
	u, err := r.add(Service{Name: name}, bootreport.Service{Name: name, State: bootreport.ServiceSkipped, Reason: reason})
	if err == nil {
		close(u.done)
		r.tell()
	}
	return err
}

func (r *Runner) add(s Service, status bootreport.Service) (*unit, error) {
	if r.stopping.Err() != nil {
		return nil, context.Cause(r.stopping)
	}
	if u, _ := r.find(s.Name); u != nil {
		return nil, fmt.Errorf("there are two services called %s", s.Name)
	}
	u := &unit{Service: s, r: r, done: make(chan struct{})}
	status.SinceMS = r.deps.SinceBoot().Milliseconds()
	u.status.Set(status)
	r.mu.Lock()
	r.units = append(r.units, u)
	r.mu.Unlock()
	r.added.Set(len(r.all()))
	return u, nil
}

// Report is how the services are.
func (r *Runner) Report() []bootreport.Service {
	var out []bootreport.Service
	for _, u := range r.all() {
		status, _ := u.status.Get()
		out = append(out, status)
	}
	return out
}

// tell tells of a change. Reports do not overtake each other.
func (r *Runner) tell() {
	r.reportsAlone.Lock()
	defer r.reportsAlone.Unlock()
	if r.deps.Changed != nil {
		r.deps.Changed(r.Report())
	}
}

func (r *Runner) all() []*unit {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.units)
}

// find is a service, or nil, and a channel that is closed when one is added.
func (r *Runner) find(name string) (*unit, <-chan struct{}) {
	_, added := r.added.Watch()
	all := r.all()
	if i := slices.IndexFunc(all, func(u *unit) bool { return u.Name == name }); i >= 0 {
		return all[i], added
	}
	return nil, added
}

var errStopped = errors.New("the machine shuts down")

// Stop ends all services, each after those that need it, and returns when they have ended. When ctx ends it ends those that
// are left at once, waits for them no longer, and its error names them.
func (r *Runner) Stop(ctx context.Context) error {
	r.stop(errStopped)
	defer r.stopAtOnce(errStopped)
	var left []string
	for _, u := range r.all() {
		select {
		case <-u.done:
		case <-ctx.Done():
			if !u.ended() {
				left = append(left, u.Name)
			}
		}
	}
	if left != nil {
		return fmt.Errorf("services are still running: %s", strings.Join(left, ", "))
	}
	return nil
}
