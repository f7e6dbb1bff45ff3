package supervise

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func group(t *testing.T, onError func(name string, err error, again time.Duration)) *Group {
	return New(func(name string, v any, stack []byte) { t.Errorf("%s: panic: %v\n%s", name, v, stack) }, onError)
}

func TestRunStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var waits []time.Duration
		g := group(t, func(name string, err error, again time.Duration) { waits = append(waits, again) })
		runs := 0
		g.Run("task", func(ctx context.Context) error {
			runs++
			switch runs {
			case 9:
				time.Sleep(longestWait) // long enough to be forgiven
			case 11:
				return nil
			}
			return errors.New("again")
		})
		time.Sleep(time.Hour)
		synctest.Wait()
		want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 1, 2}
		for i := range want {
			want[i] *= time.Second
		}
		if runs != 11 || !slices.Equal(waits, want) {
			t.Errorf("%d runs, waits %v", runs, waits)
		}
		if err := g.Stop(time.Second); err != nil {
			t.Error(err)
		}
	})
}

func TestStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := group(t, func(name string, err error, again time.Duration) {})
		g.Run("obeys", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		g.Run("waits to run again", func(ctx context.Context) error { return errors.New("no") })
		time.Sleep(time.Second / 2)
		if err := g.Stop(time.Second); err != nil {
			t.Error(err)
		}
		g = group(t, nil)
		release := make(chan struct{})
		g.Run("is deaf", func(ctx context.Context) error { <-release; return nil })
		if err := g.Stop(time.Second); err != ErrStillRunning {
			t.Error(err)
		}
		close(release)
	})
}

func TestPanic(t *testing.T) {
	said := make(chan string, 1)
	g := New(func(name string, v any, stack []byte) {
		said <- name + ": " + v.(string) + " in " + string(stack)
	}, nil)
	g.Run("task", func(context.Context) error { explode(); return nil })
	if got := <-said; !strings.HasPrefix(got, "task: boom in ") || !strings.Contains(got, "explode") {
		t.Error(got)
	}
	if err := g.Stop(time.Second); err != nil {
		t.Error(err)
	}
}

func explode() { panic("boom") }
