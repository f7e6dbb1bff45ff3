package stall

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// drip gives a byte each pause until its request is canceled.
type drip struct {
	ctx   context.Context
	pause time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
		return copy(p, "x"), nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

// A connection is given up for its silence, not for its age.
func TestWatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pause time.Duration
		want  error
	}{{59 * time.Second, nil}, {61 * time.Second, Err}} {
		synctest.Test(t, func(t *testing.T) {
			w := New(t.Context(), time.Minute)
			w.ReadCloser = io.NopCloser(drip{w.Context, c.pause})
			_, err := io.CopyN(io.Discard, w, 10)
			if !errors.Is(err, c.want) {
				t.Errorf("a byte each %s: %v, want %v", c.pause, err, c.want)
			}
			w.Close()
		})
	}
}
