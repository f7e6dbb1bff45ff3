package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// bench is a runner with what it did.
type bench struct {
	*Runner
	t     *testing.T
	begin time.Time

	mu     sync.Mutex
	events []string // "seconds: text"
	kept   bytes.Buffer
	told   atomic.Int32
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, begin: time.Now()}
	b.Runner = New(Deps{
		Log:       b,
		Output:    func(string) io.WriteCloser { return b },
		Changed:   func([]bootreport.Service) { b.told.Add(1) },
		SinceBoot: func() time.Duration { return time.Since(b.begin) },
	}, func(_ string, f func()) { go f() })
	return b
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.kept.Write(p)
}

func (b *bench) Close() error { return nil }

func (b *bench) Infof(format string, args ...any) { b.note("info "+format, args...) }
func (b *bench) Warnf(format string, args ...any) { b.note("warn "+format, args...) }

func (b *bench) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, fmt.Sprintf("%g: ", time.Since(b.begin).Seconds())+fmt.Sprintf(format, args...))
}

func (b *bench) add(s Service) {
	b.t.Helper()
	if err := b.Add(s); err != nil {
		b.t.Error(err)
	}
}

// state is "state reason" of a service.
func (b *bench) state(name string) string {
	synctest.Wait()
	for _, s := range b.Report() {
		if s.Name == name {
			return strings.TrimSpace(s.State + " " + s.Reason)
		}
	}
	return "unknown"
}

func (b *bench) want(name, state string) {
	b.t.Helper()
	if got := b.state(name); got != state {
		b.t.Errorf("after %s service %s is %q, want %q", time.Since(b.begin), name, got, state)
	}
}

func (b *bench) stop() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Hour)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

// forever is a service that runs until it is told to end, and notes both.
func (b *bench) forever(name string, needs ...string) Service {
	return Service{Name: name, Needs: needs, Run: func(ctx context.Context, _ io.Writer) error {
		b.note("%s begins", name)
		<-ctx.Done()
		b.note("%s ends", name)
		return context.Cause(ctx)
	}}
}

func (b *bench) wantEvents(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.events, want) {
		b.t.Errorf("events:\n%s\nwant:\n%s", strings.Join(b.events, "\n"), strings.Join(want, "\n"))
	}
}

// TestOrder: services begin after what they need, and end before it; those in a circle, and those that need what is not
// there, wait and hold nobody up.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.add(b.forever("c", "b", "a"))
		b.add(b.forever("round", "about"))
		b.add(b.forever("about", "round"))
		b.add(b.forever("lost", "nowhere"))
		b.add(b.forever("b", "a"))
		b.want("c", "waiting for service b, service a")
		b.add(b.forever("a"))
		if err := b.Add(b.forever("a")); err == nil {
			t.Error("two services called a")
		}
		b.want("a", "preparing")
		time.Sleep(10 * time.Second)
		for _, name := range []string{"a", "b", "c"} {
			b.want(name, "running")
		}
		b.want("round", "waiting for service about")
		b.want("lost", "waiting for service nowhere")
		b.stop()
		b.want("c", "finished stopped")
		b.want("lost", "finished stopped before it ran")
		b.wantEvents("0: a begins", "2: b begins", "4: c begins", "10: c ends", "10: b ends", "10: a ends")
		if err := b.Add(b.forever("late")); err == nil {
			t.Error("added to a machine that shuts down")
		}
	})
}

// TestPolicies: when a service that ends is run again, and how long it waits.
func TestPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  Policy
		fails   int // so many first runs; below zero, the first for good
		endless bool
		state   string
		runs    []float64 // seconds in which it begins, in the first ten minutes
	}{
		{Always, 0, false, "waiting it ended, and starts again", []float64{0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543}},
		{"", 2, true, "running", []float64{0, 1, 3}},
		{Never, 1, false, "failed status 3: the last word", []float64{0}},
		{Never, 0, false, "finished", []float64{0}},
		{UntilSuccess, 3, false, "finished", []float64{0, 1, 3, 7}},
		{UntilSuccess, -1, false, "failed status 3: the last word", []float64{0}},
		{Always, -1, false, "failed status 3: the last word", []float64{0}},
		{UntilSuccess, 99, false, "failed status 3: the last word", []float64{0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483, 543}},
	} {
		t.Run(fmt.Sprint(c.policy, c.fails), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				var begins watch.Value[[]float64]
				b.add(Service{Name: "s", Restart: c.policy, Run: func(ctx context.Context, out io.Writer) error {
					runs, _ := begins.Get()
					runs = append(slices.Clone(runs), time.Since(b.begin).Seconds())
					begins.Set(runs)
					fmt.Fprintf(out, "first\nthe last ")
					fmt.Fprintf(out, "word\n\n")
					if c.fails < 0 {
						return Final(errors.New("status 3"))
					}
					if len(runs) <= c.fails {
						return errors.New("status 3")
					}
					if c.endless {
						<-ctx.Done()
					}
					return nil
				}})
				time.Sleep(9*time.Minute + 30*time.Second)
				b.want("s", c.state)
				if runs, _ := begins.Get(); !slices.Equal(runs, c.runs) {
					t.Errorf("it began at %v, want %v", runs, c.runs)
				}
				if got := b.Report()[0].Restarts; got != len(c.runs)-1 {
					t.Errorf("%d restarts", got)
				}
				if told, most := b.told.Load(), int32(6); c.policy != Always && told > most {
					t.Errorf("the report changed %d times, for a service that keeps failing", told)
				}
				b.stop()
			})
		})
	}
}

// TestLongRunForgives: after a run of a minute the waits begin anew.
func TestLongRunForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.add(Service{Name: "s", Run: func(ctx context.Context, _ io.Writer) error {
			b.note("begins")
			sleep(ctx, 2*time.Minute)
			return errors.New("tired")
		}})
		time.Sleep(7 * time.Minute)
		b.stop()
		b.wantEvents("0: begins", "120: warn service s: tired; again in 1s", "121: begins", "241: warn service s: tired; again in 1s",
			"242: begins", "362: warn service s: tired; again in 1s", "363: begins")
	})
}

// TestConfiguration: a new configuration starts a service again, also one that has finished or waits after a failure; one
// that amounts to the same does not.
func TestConfiguration(t *testing.T) {
	for _, policy := range []Policy{Always, Never} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			var revision watch.Value[string]
			revision.Set("1")
			b.add(Service{Name: "s", Restart: policy, Revision: revision.Watch, Run: func(ctx context.Context, _ io.Writer) error {
				now, _ := revision.Get()
				b.note("runs %s", now)
				if now == "bad" {
					return errors.New("bad")
				}
				if now != "short" {
					<-ctx.Done()
				}
				return nil
			}})
			time.Sleep(5 * time.Second)
			revision.Set("1")
			time.Sleep(5 * time.Second)
			revision.Set("2")
			time.Sleep(5 * time.Second)
			revision.Set("bad")
			time.Sleep(500 * time.Millisecond)
			b.want("s", "failed bad")
			revision.Set("3")
			time.Sleep(10 * time.Second)
			b.want("s", "running")
			want := []string{
				"0: runs 1", "10: info service s starts again: its configuration has changed", "10: runs 2",
				"15: info service s starts again: its configuration has changed", "15: runs bad", "15: warn service s: bad; again in 1s", "15.5: runs 3",
			}
			if policy == Never {
				want = slices.Delete(want, 5, 6)
			}
			b.wantEvents(want...)
			b.stop()
		})
	}
}

// TestCheck: a service is ready when its check says so, and one whose checks fail is started again.
func TestCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var broken watch.Value[error]
		broken.Set(errors.New("not yet"))
		s := b.forever("s")
		run := s.Run
		s.Run = func(ctx context.Context, out io.Writer) error {
			fmt.Fprintln(out, "I began")
			return run(ctx, out)
		}
		s.Check = func(ctx context.Context) error { err, _ := broken.Get(); return err }
		b.add(s)
		b.add(b.forever("user", "s"))
		time.Sleep(startLimit - time.Second)
		b.want("s", "preparing")
		b.want("user", "waiting for service s")
		time.Sleep(time.Hour)
		b.want("s", "failed it does not work after 2m0s: not yet: I began")
		b.want("user", "waiting for service s")
		broken.Set(nil)
		time.Sleep(time.Minute)
		b.want("s", "running")
		broken.Set(errors.New("mute"))
		time.Sleep(3*time.Minute + 10*time.Second)
		b.want("s", "failed it does not work any more: mute: I began")
		broken.Set(nil)
		time.Sleep(time.Minute)
		b.want("s", "running")
		b.stop()
	})
}

// TestCheckThatHangs is a failure.
func TestCheckThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		s := b.forever("s")
		var hang atomic.Bool
		s.Check = func(ctx context.Context) error {
			if hang.Load() {
				<-ctx.Done()
			}
			return nil
		}
		b.add(s)
		time.Sleep(time.Second)
		hang.Store(true)
		time.Sleep(5 * time.Minute)
		if got := b.state("s"); !strings.HasPrefix(got, "failed it does not work any more") {
			t.Error(got)
		}
		b.stop()
	})
}

// TestStopGivesUp: one that does not end is named, and keeps neither the others nor the machine.
func TestStopGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stuck := make(chan struct{})
		b.add(b.forever("below"))
		b.add(Service{Name: "stuck", Needs: []string{"below"}, Run: func(context.Context, io.Writer) error { <-stuck; return nil }})
		b.add(b.forever("other"))
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := b.Stop(ctx)
		if err == nil || err.Error() != "services are still running: below, stuck" {
			t.Error(err)
		}
		b.want("below", "finished stopped") // at once, after all
		close(stuck)
		b.want("stuck", "finished stopped")
	})
}

// TestInterrupted: what is not the service's fault is no end of it, whatever the policy.
func TestInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var runs atomic.Int32
		b.add(Service{Name: "s", Restart: Never, Run: func(context.Context, io.Writer) error {
			if runs.Add(1) < 3 {
				return fmt.Errorf("%w: nobody answers", ErrInterrupted)
			}
			return nil
		}})
		b.want("s", "failed interrupted: nobody answers")
		time.Sleep(time.Minute)
		b.want("s", "finished")
		b.stop()
	})
}

// TestPrepareFails: like a run that fails.
func TestPrepareFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		tries := 0
		s := b.forever("s")
		s.Prepare = func(context.Context) error {
			if tries++; tries < 3 {
				return errors.New("no folder")
			}
			return nil
		}
		b.add(s)
		b.want("s", "failed no folder")
		time.Sleep(10 * time.Second)
		b.want("s", "running")
		b.stop()
		b.wantEvents("0: warn service s: no folder; again in 1s", "3: s begins", "10: s ends")
	})
}

func TestSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		if err := b.Skip("s", "no hardware"); err != nil {
			t.Error(err)
		}
		b.want("s", "skipped no hardware")
		b.stop()
	})
}

// TestWaits: a condition without a channel is asked again.
func TestWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		var network watch.Value[bool]
		var there atomic.Bool
		s := b.forever("s")
		s.Waits = []Condition{{"the network", network.Watch}, {"/a", func() (bool, <-chan struct{}) { return there.Load(), nil }}}
		b.add(s)
		b.want("s", "waiting for the network, /a")
		network.Set(true)
		b.want("s", "waiting for /a")
		time.Sleep(59500 * time.Millisecond) // between two looks
		there.Store(true)
		time.Sleep(3 * time.Second)
		b.stop()
		b.wantEvents("60: s begins", "62.5: s ends")
	})
}

// TestConsole: lines are shown whole, and of endless ones a part.
func TestConsole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.add(Service{Name: "s", Console: true, Restart: Never, Run: func(_ context.Context, out io.Writer) error {
			fmt.Fprint(out, "a", "b\n", "\n \xff\n", strings.Repeat("x", maxLine+1), "\nend")
			return errors.New("status 1")
		}})
		time.Sleep(time.Second)
		b.want("s", "failed status 1: end")
		b.stop()
		b.wantEvents("0: info s: ab", "0: info s: �", "0: info s: "+strings.Repeat("x", maxLine), "0: info s: x", "0: info s: end")
		if !strings.HasSuffix(b.kept.String(), "x\nend") {
			t.Error("what it printed is not kept as it is")
		}
	})
}
