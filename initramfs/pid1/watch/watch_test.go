package watch

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestValue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v Value[int]
		if _, ok := v.Get(); ok {
			t.Error("set before it was")
		}
		_, changed := v.Watch()
		go func() {
			for i := range 4 {
				time.Sleep(time.Second)
				v.Set(i)
			}
		}()
		if got, err := v.Wait(t.Context(), func(i int) bool { return i == 3 }); got != 3 || err != nil {
			t.Errorf("waited for 3, got %d, %v", got, err)
		}
		select {
		case <-changed:
		default:
			t.Error("who watched before was not told")
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("too late"))
		defer cancel()
		if got, err := v.Wait(ctx, func(int) bool { return false }); got != 3 || err == nil || err.Error() != "too late" {
			t.Errorf("waited in vain: %d, %v", got, err)
		}
	})
}

// TestEach sees the value that there is and the last of those that come at once.
func TestEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v Value[int]
		var seen []int
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- v.Each(ctx, func(i int) { seen = append(seen, i) }) }()
		for _, values := range [][]int{{}, {1}, {2, 3}} {
			synctest.Wait()
			for _, i := range values {
				v.Set(i)
			}
		}
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil || seen[0] != 0 || seen[1] != 1 || seen[len(seen)-1] != 3 {
			t.Errorf("%v, %v", seen, err)
		}
	})
}
