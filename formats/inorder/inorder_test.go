package inorder

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{0, 1, 2, 100} {
			next, running, most := 0, atomic.Int32{}, atomic.Int32{}
			err := Run(t.Context(), n, func(_ context.Context, i int) (int, error) {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Duration(i*7919%13) * time.Millisecond)
				running.Add(-1)
				return i, nil
			}, func(i int) error {
				if i != next {
					t.Errorf("%d after %d", i, next-1)
				}
				next++
				return nil
			})
			if err != nil || next != n || most.Load() > maxWorkers {
				t.Errorf("%d of %d, %d at a time, %v", next, n, most.Load(), err)
			}
		}
	})
}

func TestErrors(t *testing.T) {
	bad := errors.New("bad")
	do := func(_ context.Context, i int) (int, error) {
		if i == 50 {
			return 0, bad
		}
		return i, nil
	}
	if err := Run(t.Context(), 100, do, func(int) error { return nil }); !errors.Is(err, bad) {
		t.Error(err)
	}
	if err := Run(t.Context(), 40, do, func(i int) error {
		if i == 30 {
			return bad
		}
		return nil
	}); !errors.Is(err, bad) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Run(ctx, 40, do, func(int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
