package store

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"
)

// errBusy says that another open file holds the lock.
var errBusy = errors.New("locked by another")

// keyed is a lock for each key in use, among goroutines. Its zero value is ready.
type keyed struct {
	mu    sync.Mutex
	locks map[string]*waiters
}

type waiters struct {
	n     int           // holder and those who wait
	token chan struct{} // full while held
}

// lock waits for key's lock and returns its release.
func (k *keyed) lock(ctx context.Context, key string) (func(), error) {
	k.mu.Lock()
	w := k.locks[key]
	if w == nil {
		if k.locks == nil {
			k.locks = map[string]*waiters{}
		}
		w = &waiters{token: make(chan struct{}, 1)}
		k.locks[key] = w
	}
	w.n++
	k.mu.Unlock()
	leave := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if w.n--; w.n == 0 {
			delete(k.locks, key)
		}
	}
	select {
	case w.token <- struct{}{}:
		return func() { <-w.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, canceled(ctx)
	}
}

// exclusive waits until no goroutine and no process works on task, and returns the function that lets the next one in.
// The kernel gives up the lock of a process that died. Where files cannot be locked, two processes may do the same work.
func (s *Store) exclusive(ctx context.Context, task string) (func(), error) {
	leave, err := s.busy.lock(ctx, task)
	if err != nil {
		return nil, err
	}
	path := s.path("locks", hashed(task))
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			leave()
			return nil, s.broken(err)
		}
		err = flock(f)
		switch {
		case err == nil && named(f), errors.Is(err, errors.ErrUnsupported):
			return func() { discard(f); leave() }, nil
		case err != nil && !errors.Is(err, errBusy):
			f.Close()
			leave()
			return nil, s.broken(err)
		}
		f.Close()
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			leave()
			return nil, canceled(ctx)
		}
	}
}

// temp is a new file in tmp, locked for as long as it is open.
func (s *Store) temp() (*os.File, error) {
	for {
		f, err := os.CreateTemp(s.path("tmp"), "")
		if err != nil {
			return nil, s.broken(err)
		}
		// A sweep between the two calls may have taken it for abandoned.
		if err := flock(f); errors.Is(err, errors.ErrUnsupported) || err == nil && named(f) {
			return f, nil
		}
		discard(f)
	}
}

// discard removes a file that was not renamed, and closes it; in this order, so that nobody locks it in between.
func discard(f *os.File) {
	if named(f) {
		os.Remove(f.Name())
	}
	f.Close()
}

// named reports whether f is still the file of its name.
func named(f *os.File) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(a, b)
}

// sweep removes what dead processes left behind. It is a courtesy: what cannot be removed now is met again.
func (s *Store) sweep() {
	for _, dir := range []string{"tmp", "locks"} {
		entries, _ := os.ReadDir(s.path(dir))
		for _, e := range entries {
			f, err := os.Open(s.path(dir, e.Name()))
			switch {
			case err != nil:
			case abandoned(f):
				discard(f)
			default:
				f.Close()
			}
		}
	}
}

// abandoned reports whether nobody works on f: its lock is free, or, where files cannot be locked, it was last written a
// day ago.
func abandoned(f *os.File) bool {
	err := flock(f)
	if errors.Is(err, errors.ErrUnsupported) {
		info, err := f.Stat()
		return err == nil && time.Since(info.ModTime()) > 24*time.Hour
	}
	return err == nil
}
