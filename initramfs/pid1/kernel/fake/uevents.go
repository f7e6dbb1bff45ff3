package fake

import (
	"os"
	"sync"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// uevents are all that devices have done. The zero value is ready to use.
type uevents struct {
	mu   sync.Mutex
	all  []kernel.Uevent
	more chan struct{} // closed with the next one; made by the first who waits
}

// Uevents follows kernel.Events, except that a reader also gets what happened before it, so that a test may say it early.
func (m *Machine) Uevents() (kernel.UeventReader, error) {
	if err := m.UeventsError; err != nil {
		m.UeventsError = nil
		return nil, err
	}
	return &reader{all: &m.uevents, closed: make(chan struct{})}, nil
}

// Plug is an event of a device; without keys it says that events were lost. Every reader gets it.
func (m *Machine) Plug(e kernel.Uevent) {
	u := &m.uevents
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, e)
	if u.more != nil {
		close(u.more)
		u.more = nil
	}
}

type reader struct {
	all    *uevents
	next   int
	closed chan struct{}
}

// take is the next event, or what to wait for.
func (r *reader) take() (e kernel.Uevent, there bool, more <-chan struct{}) {
	u := r.all
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.next < len(u.all) {
		e = u.all[r.next]
		r.next++
		return e, true, nil
	}
	if u.more == nil {
		u.more = make(chan struct{})
	}
	return nil, false, u.more
}

func (r *reader) Read() (kernel.Uevent, error) {
	for {
		e, there, more := r.take()
		switch {
		case there && e == nil:
			return nil, kernel.ErrLost
		case there:
			return e, nil
		}
		select {
		case <-more:
		case <-r.closed:
			return nil, os.ErrClosed
		}
	}
}

func (r *reader) Close() error { close(r.closed); return nil }
