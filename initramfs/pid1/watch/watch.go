// Package watch holds values that tasks share: one sets, others read and wait for the next. Tasks never call each other.
package watch

import (
	"context"
	"sync"
)

// Value is a value that can be waited for. The zero Value holds the zero T and is ready to use. What is set must not be
// changed afterwards.
type Value[T any] struct {
	mu      sync.Mutex
	now     T
	set     bool
	changed chan struct{} // closed with the next Set; made by the first who waits
}

// Set replaces the value and wakes all who wait.
func (v *Value[T]) Set(now T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now, v.set = now, true
	if v.changed != nil {
		close(v.changed)
		v.changed = nil
	}
}

// Get returns the value, and whether it was ever set.
func (v *Value[T]) Get() (T, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now, v.set
}

// Watch returns the value and a channel that is closed when it is set again.
func (v *Value[T]) Watch() (T, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.changed == nil {
		v.changed = make(chan struct{})
	}
	return v.now, v.changed
}

// Wait returns the first value, the present one included, that good accepts, or the error of ctx.
func (v *Value[T]) Wait(ctx context.Context, good func(T) bool) (T, error) {
	for {
		now, changed := v.Watch()
		if good(now) {
			return now, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return now, context.Cause(ctx)
		}
	}
}

// Each is a task that calls do with the present value, and with each that is set afterwards, until ctx ends. Values that are
// replaced while do runs are left out.
func (v *Value[T]) Each(ctx context.Context, do func(T)) error {
	for {
		now, changed := v.Watch()
		do(now)
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
