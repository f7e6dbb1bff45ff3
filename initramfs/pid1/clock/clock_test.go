package clock

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

// world is a machine, its network and what it was told. The true time is that of the bubble, from 2000-01-01.
type world struct {
	*fake.Machine
	t       *testing.T
	servers map[string]*sntptest.Server // by address
	config  watch.Value[Config]
	network watch.Value[Network]
	status  watch.Value[Status]

	mu    sync.Mutex
	lines []string
}

var built = time.Date(1999, 6, 1, 0, 0, 0, 0, time.UTC)

func (w *world) log(level, format string, args []any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, level+fmt.Sprintf(format, args...))
}

func (w *world) Debugf(format string, args ...any) { w.log("debug: ", format, args) }
func (w *world) Infof(format string, args ...any)  { w.log("", format, args) }
func (w *world) Warnf(format string, args ...any)  { w.log("warning: ", format, args) }

// said is how many lines of the log contain text.
func (w *world) said(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, l := range w.lines {
		n += strings.Count(l, text)
	}
	return n
}

// server is the one at address; nil is none.
func (w *world) server(address string) *sntptest.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.servers[address]
}

// Dial follows Machine.
func (w *world) Dial(_ context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if s := w.server(host); err == nil && s != nil && network == "udp" && port == "123" {
		return s.Dial(), nil
	}
	return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("network is unreachable")}
}

// inWorld runs f beside the task, in a world with the servers 10.0.0.1 to 10.0.0.n, all of which are configured.
func inWorld(t *testing.T, n int, prepare, f func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{Machine: fake.New(t, nil), t: t, servers: map[string]*sntptest.Server{}}
		var names []string
		for i := range n {
			names = append(names, fmt.Sprint("10.0.0.", i+1))
			w.servers[names[i]] = &sntptest.Server{}
		}
		w.config.Set(Config{Servers: names})
		w.network.Set(Network{Online: true})
		if prepare != nil {
			prepare(w)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- Run(ctx, Deps{Machine: w, Log: w, Built: built, Config: &w.config, Network: &w.network, Status: &w.status})
		}()
		synctest.Wait()
		f(w)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
	})
}

// wait lets d pass.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// ahead is how far the clock is from the true time.
func (w *world) ahead() time.Duration { return time.Until(w.Now()) }

func (w *world) now() Status {
	s, _ := w.status.Get()
	return s
}

// steps are the steps among the adjustments.
func (w *world) steps() (by []time.Duration) {
	for _, a := range w.Adjustments {
		if a.Step {
			by = append(by, a.Offset.Round(time.Millisecond))
		}
	}
	return by
}

// TestLog holds the log to the format that the configuration guide documents.
func TestLog(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.Ahead = -37060204 * time.Nanosecond
		w.servers["10.0.0.1"].Delays(func() (there, back time.Duration) { return time.Millisecond, time.Millisecond })
	}, func(w *world) {
		wait(time.Second)
		s := w.now()
		if s.PollInterval != minPoll || s.Stratum != 2 || !s.Synced || s.Source != "10.0.0.1" || !slices.Equal(s.Servers, []string{"10.0.0.1"}) || s.Offset.Round(time.Microsecond) != 37060*time.Microsecond {
			t.Errorf("%+v", s)
		}
		want := []string{
			`debug: NTP response {"clock_offset": "37.060204ms", "rtt": "2ms", "leap": 0, "stratum": 2, "precision": "119ns", "root_delay": "0s", "root_dispersion": "0s", "root_distance": "1ms"}`,
			`debug: sample stats {"jitter": "0s", "poll_interval": "32s", "spike": false}`,
			`adjusting time (slew) by 37.060204ms via 10.0.0.1, state TIME_OK, status STA_PLL | STA_FREQHOLD | STA_NANO`,
			`debug: adjtime state {"constant": 0, "offset": "37.060204ms", "freq_offset": 0, "freq_offset_ppm": 0}`,
		}
		for i, line := range w.lines {
			if i >= len(want) || line != want[i] {
				t.Errorf("line %d: %s", i, line)
			}
		}
		if len(w.lines) != len(want) {
			t.Errorf("%d lines", len(w.lines))
		}
	})
}

// TestStep: what is far off is stepped, at once where it cannot be a lie that matters, else when it was said twice.
func TestStep(t *testing.T) {
	for name, c := range map[string]struct {
		ahead     time.Duration
		questions int
		steps     []time.Duration
		epoch     int
	}{
		"half a second":        {-500 * time.Millisecond, 1, []time.Duration{500 * time.Millisecond}, 0},
		"ten minutes ahead":    {10 * time.Minute, 1, []time.Duration{-10 * time.Minute}, 0},
		"in 2040":              {40 * 365 * 24 * time.Hour, 2, []time.Duration{-40 * 365 * 24 * time.Hour}, 1},
		"in 2106":              {106 * 365 * 24 * time.Hour, 2, []time.Duration{-106 * 365 * 24 * time.Hour}, 1},
		"after it was built":   {-24 * time.Hour, 2, []time.Duration{24 * time.Hour}, 1},
		"in 1970":              {-30 * 365 * 24 * time.Hour, 2, []time.Duration{time.Unix(30*365*24*3600, 0).Sub(time.Unix(0, 0)) - time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Sub(built), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Sub(built)}, 2},
		"hardly ahead of time": {399 * time.Millisecond, 1, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) { w.Ahead = c.ahead }, func(w *world) {
				wait(1500 * time.Millisecond)
				asked := w.servers["10.0.0.1"].Asked()
				if !slices.Equal(w.steps(), c.steps) || len(asked) != c.questions || w.now().Epoch != c.epoch || !w.now().Synced {
					t.Errorf("stepped by %v after %d questions, %+v\n%q", w.steps(), len(asked), w.now(), w.lines)
				}
				if c.steps == nil {
					if w.RTC != nil {
						t.Errorf("RTC %v", w.RTC)
					}
					return
				}
				if len(w.RTC) != 1 || time.Until(w.RTC[0]).Abs() > 3*time.Second || w.ahead().Abs() > time.Millisecond {
					t.Errorf("RTC %v, %s ahead", w.RTC, w.ahead())
				}
			})
		})
	}
}

// TestFloor: without a server a clock from before the image was built is set to when that was.
func TestFloor(t *testing.T) {
	inWorld(t, 0, func(w *world) { w.Ahead = -30 * 365 * 24 * time.Hour }, func(w *world) {
		if now := w.Now(); !now.Equal(built) || w.now().Synced || w.now().Epoch != 1 || w.RTC != nil {
			t.Errorf("%s, %+v", now, w.now())
		}
		if w.said("warning: the clock said 1970-01-08T00:00:00Z; it is set to when the image was built, 1999-06-01T00:00:00Z") != 1 {
			t.Errorf("%q", w.lines)
		}
	})
}

// TestSlew: an offset below the threshold goes away, and the clock never goes backwards nor stands still for it.
func TestSlew(t *testing.T) {
	for _, ahead := range []time.Duration{-300 * time.Millisecond, 300 * time.Millisecond} {
		inWorld(t, 1, func(w *world) { w.Ahead = ahead }, func(w *world) {
			last := w.Now()
			for range 6000 {
				wait(10 * time.Millisecond)
				now := w.Now()
				if d := now.Sub(last); d < 9*time.Millisecond || d > 11*time.Millisecond {
					t.Fatalf("the clock went on by %s in 10 ms", d)
				}
				last = now
			}
			if w.ahead().Abs() > 10*time.Millisecond || w.steps() != nil {
				t.Errorf("%s ahead after a minute, steps %v", w.ahead(), w.steps())
			}
		})
	}
}

// TestConvergence: an oscillator that is off and a network that takes its time, with a spike now and then.
func TestConvergence(t *testing.T) {
	for _, drift := range []float64{-80, 30, 200} {
		random := rand.New(rand.NewPCG(7, 7))
		inWorld(t, 1, func(w *world) {
			w.Ahead, w.Drift = 350*time.Millisecond, drift
			w.servers["10.0.0.1"].Delays(func() (there, back time.Duration) {
				there = time.Duration(5e6 + random.ExpFloat64()*1e6)
				back = time.Duration(5e6 + random.ExpFloat64()*1e6)
				if random.IntN(20) == 0 {
					back += 300 * time.Millisecond
				}
				return there, back
			})
		}, func(w *world) {
			wait(6 * time.Hour)
			worst := time.Duration(0)
			for range 24 * 60 {
				wait(time.Minute)
				worst = max(worst, w.ahead().Abs())
			}
			if worst > 25*time.Millisecond || w.now().PollInterval < 256*time.Second || w.steps() != nil {
				t.Errorf("%v ppm: up to %s ahead, %+v, steps %v", drift, worst, w.now(), w.steps())
			}
			t.Logf("%v ppm: up to %s ahead in a day, %d questions, poll interval %s", drift, worst, len(w.servers["10.0.0.1"].Asked()), w.now().PollInterval)
		})
	}
}

func TestNextInterval(t *testing.T) {
	for _, c := range []struct {
		now, offset time.Duration
		spike       bool
		want        time.Duration
	}{
		{0, 0, false, minPoll},
		{minPoll, 0, false, 2 * minPoll},
		{minPoll, -49 * time.Millisecond, false, 2 * minPoll},
		{64 * time.Second, 50 * time.Millisecond, false, 64 * time.Second},
		{64 * time.Second, -150 * time.Millisecond, false, 64 * time.Second},
		{maxPoll, 151 * time.Millisecond, false, maxPoll / 2},
		{maxPoll, -201 * time.Millisecond, false, minPoll},
		{maxPoll, time.Millisecond, false, maxPoll},
		{maxPoll, time.Millisecond, true, maxPoll / 2},
		{minPoll, time.Millisecond, true, minPoll},
	} {
		if got := nextInterval(c.now, c.offset, c.spike); got != c.want {
			t.Errorf("after %s, off by %s, spike %v: %s, want %s", c.now, c.offset, c.spike, got, c.want)
		}
	}
}

// TestSpike: a late answer changes nothing but the interval.
func TestSpike(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		takes := func(back time.Duration) {
			w.servers["10.0.0.1"].Delays(func() (_, _ time.Duration) { return 10 * time.Millisecond, back })
		}
		takes(10 * time.Millisecond)
		wait(time.Hour)
		before, interval := len(w.Adjustments), w.now().PollInterval
		takes(900 * time.Millisecond)
		wait(interval + 2*time.Second)
		if len(w.Adjustments) != before || w.said(fmt.Sprintf(`"poll_interval": %q, "spike": true`, interval/2)) != 1 {
			t.Errorf("%d adjustments, then %d: %q", before, len(w.Adjustments), w.lines[len(w.lines)-2:])
		}
	})
}

// TestKissOfDeath: the server is asked half as often, and half of that.
func TestKissOfDeath(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers["10.0.0.1"].Edit(func(p []byte) { p[1] = 0; copy(p[12:], "RATE") })
	}, func(w *world) {
		wait(65*time.Second + 129*time.Second)
		if n := len(w.servers["10.0.0.1"].Asked()); n != 3 || w.now().Synced {
			t.Errorf("asked %d times, %+v", n, w.now())
		}
		if !slices.Equal(w.now().Faults, []string{"10.0.0.1: kiss of death: RATE"}) || w.said("kiss of death") != 1 {
			t.Errorf("%q, %q", w.now().Faults, w.lines)
		}
		wait(12 * time.Hour)
		asked := w.servers["10.0.0.1"].Asked()
		if last := asked[len(asked)-1].Sub(asked[len(asked)-2]); last != maxPoll {
			t.Errorf("asked again after %s", last)
		}
	})
}

// TestKissOfDeathOfOne: another server is asked at once.
func TestKissOfDeathOfOne(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.servers["10.0.0.1"].Edit(func(p []byte) { p[1] = 0; copy(p[12:], "DENY") })
	}, func(w *world) {
		wait(time.Hour)
		if s := w.now(); s.Source != "10.0.0.2" || len(w.servers["10.0.0.1"].Asked()) != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// TestDeadServers: all are asked in turn, and who answers is asked from then on.
func TestDeadServers(t *testing.T) {
	inWorld(t, 3, func(w *world) {
		w.servers["10.0.0.1"].Edit(sntptest.Silence)
		w.servers["10.0.0.2"].Edit(func(p []byte) { p[1] = 16 })
	}, func(w *world) {
		wait(6 * time.Second)
		if w.now().Source != "10.0.0.3" || w.now().Faults != nil {
			t.Errorf("%+v", w.now())
		}
		w.servers["10.0.0.1"].Edit(nil)
		wait(time.Hour)
		if one, two := len(w.servers["10.0.0.1"].Asked()), len(w.servers["10.0.0.2"].Asked()); one != 1 || two != 1 {
			t.Errorf("asked %d and %d times", one, two)
		}
		w.servers["10.0.0.3"].Edit(sntptest.Silence)
		wait(time.Hour)
		if w.now().Source != "10.0.0.1" {
			t.Errorf("%+v", w.now())
		}
	})
}

// TestNoServer: it is tried every second, and said once.
func TestNoServer(t *testing.T) {
	inWorld(t, 0, func(w *world) { w.config.Set(Config{Servers: []string{"nowhere", "10.0.0.9"}}) }, func(w *world) {
		wait(time.Minute)
		want := []string{"nowhere: no such host", "10.0.0.9: network is unreachable"}
		if !slices.Equal(w.now().Faults, want) || w.now().Synced || w.said("warning: time: nowhere: no such host; 10.0.0.9: network is unreachable") != 1 {
			t.Errorf("%q, %q", w.now().Faults, w.lines)
		}
		w.mu.Lock()
		w.servers["10.0.0.9"] = &sntptest.Server{}
		w.mu.Unlock()
		wait(time.Second)
		if s := w.now(); !s.Synced || s.Faults != nil {
			t.Errorf("%+v", s)
		}
	})
}

// TestLiars: who says that the clock is years off is believed only when another says so, or says it again.
func TestLiars(t *testing.T) {
	const years = 10 * 365 * 24 * time.Hour
	for name, c := range map[string]struct {
		servers int
		wrong   []string // say that it is ten years later
		ahead   time.Duration
		want    time.Duration // how far ahead the clock is in the end
		synced  bool
	}{
		"one of two, the clock is right":   {2, []string{"10.0.0.1"}, 0, 0, true},
		"one of two, the clock is wrong":   {2, []string{"10.0.0.1"}, -24 * time.Hour, -24 * time.Hour, false},
		"one of three, the clock is wrong": {3, []string{"10.0.0.1"}, -24 * time.Hour, 0, true},
		"the second of three":              {3, []string{"10.0.0.2"}, -24 * time.Hour, 0, true},
		"two of three":                     {3, []string{"10.0.0.1", "10.0.0.2"}, -24 * time.Hour, years, true},
		"the only one":                     {1, []string{"10.0.0.1"}, 0, years, true},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, c.servers, func(w *world) {
				w.Ahead = c.ahead
				for _, s := range c.wrong {
					w.servers[s].Ahead(years)
				}
			}, func(w *world) {
				wait(10 * time.Minute)
				if (w.ahead()-c.want).Abs() > time.Second || w.now().Synced != c.synced {
					t.Errorf("%s ahead, %+v\n%q", w.ahead(), w.now(), w.lines)
				}
				if n := len(w.servers["10.0.0.1"].Asked()); n > 20 {
					t.Errorf("asked %d times in ten minutes", n)
				}
			})
		})
	}
}

// TestJumpLater: a server that was right has to say eight times that the clock is an hour off.
func TestJumpLater(t *testing.T) {
	inWorld(t, 1, nil, func(w *world) {
		wait(time.Minute)
		server := w.servers["10.0.0.1"]
		server.Ahead(time.Hour)
		wait(32*time.Second + 6*minPoll)
		if w.steps() != nil || w.now().Faults == nil {
			t.Errorf("stepped by %v, %+v", w.steps(), w.now())
		}
		server.Ahead(0)
		wait(2 * minPoll)
		server.Ahead(time.Hour)
		wait(time.Hour)
		if !slices.Equal(w.steps(), []time.Duration{time.Hour}) || w.now().Epoch != 1 || w.said("has to be confirmed") != 2 {
			t.Errorf("stepped by %v, %+v", w.steps(), w.now())
		}
	})
}

// TestLeap: the kernel is told on the last day of the month only, and nothing the day after.
func TestLeap(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers["10.0.0.1"].Edit(func(p []byte) {
			if time.Now().Month() == time.January {
				p[0] |= 1 << 6
			}
		})
	}, func(w *world) {
		wait(33 * 24 * time.Hour)
		first := time.Time{}
		for i, at := range w.servers["10.0.0.1"].Asked() {
			if a := w.Adjustments[i]; (a.Leap == kernel.InsertSecond) != (at.Month() == time.January && at.Day() == 31) {
				t.Fatalf("at %s: %+v", at, a)
			} else if a.Leap != 0 && first.IsZero() {
				first = at
			}
		}
		if first.IsZero() {
			t.Error("there was no leap second")
		}
		if w.said("state TIME_INS, status STA_PLL | STA_INS | STA_NANO") == 0 {
			t.Error("not said")
		}
	})
}

// TestSettings: they may change at any time.
func TestSettings(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		w.Names["pool"] = []netip.Addr{netip.MustParseAddr("10.0.0.8"), netip.MustParseAddr("::ffff:10.0.0.2")}
		w.Names[DefaultServer] = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		w.config.Set(Config{Disabled: true})
	}, func(w *world) {
		follows := func(source string, servers ...string) {
			t.Helper()
			wait(time.Second)
			if s := w.now(); !s.Synced || s.Source != source || !slices.Equal(s.Servers, servers) || s.Disabled != (source == "") {
				t.Errorf("%+v, want %s of %v", s, source, servers)
			}
		}
		follows("", DefaultServer)
		w.config.Set(Config{})
		follows("10.0.0.1", DefaultServer)
		w.network.Set(Network{true, []string{"pool"}})
		follows("10.0.0.2", "pool")
		wait(burstSize * burstGap)
		asked := len(w.servers["10.0.0.2"].Asked())
		w.network.Set(Network{true, []string{"pool"}}) // as with every renewal
		follows("10.0.0.2", "pool")
		if n := len(w.servers["10.0.0.2"].Asked()); n != asked {
			t.Error("asked again although nothing changed")
		}
		w.config.Set(Config{Servers: []string{"10.0.0.1"}})
		follows("10.0.0.1", "10.0.0.1")
	})
}

// TestOffline: nobody is asked before there is a network, except devices.
func TestOffline(t *testing.T) {
	inWorld(t, 1, func(w *world) { w.network.Set(Network{}) }, func(w *world) {
		wait(time.Hour)
		if s := w.now(); s.Synced || s.Faults != nil || w.lines != nil || !slices.Equal(s.Servers, []string{"10.0.0.1"}) {
			t.Errorf("%+v, %q", s, w.lines)
		}
		w.network.Set(Network{Online: true})
		wait(time.Second)
		if !w.now().Synced {
			t.Errorf("%+v", w.now())
		}
		w.PTP = map[string]func() time.Time{"/dev/ptp0": time.Now}
		w.network.Set(Network{})
		w.config.Set(Config{Servers: []string{"/dev/ptp0"}})
		wait(time.Second)
		if w.now().Source != "/dev/ptp0" {
			t.Errorf("%+v", w.now())
		}
	})
}

// TestBootTimeout: then the clock is taken as it is, and servers are asked still.
func TestBootTimeout(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		w.servers["10.0.0.1"].Edit(sntptest.Silence)
		w.config.Set(Config{Servers: []string{"10.0.0.1"}, BootTimeout: 5 * time.Second})
	}, func(w *world) {
		wait(4 * time.Second)
		if w.now().Synced {
			t.Error("too early")
		}
		wait(2 * time.Second)
		if s := w.now(); !s.Synced || s.Source != "" || w.said("warning: time is not synchronised after 5s; it is taken as it is") != 1 {
			t.Errorf("%+v, %q", s, w.lines)
		}
		w.servers["10.0.0.1"].Edit(nil)
		wait(10 * time.Second)
		if s := w.now(); s.Source != "10.0.0.1" {
			t.Errorf("%+v", s)
		}
	})
}

// TestBootTimeoutLater: one that is over when it is configured counts at once; one that is taken away does not.
func TestBootTimeoutLater(t *testing.T) {
	inWorld(t, 0, func(w *world) { w.config.Set(Config{BootTimeout: time.Minute}) }, func(w *world) {
		wait(time.Second)
		w.config.Set(Config{})
		wait(time.Hour)
		if w.now().Synced {
			t.Errorf("%+v", w.now())
		}
		w.config.Set(Config{BootTimeout: time.Minute})
		wait(time.Second)
		if !w.now().Synced {
			t.Errorf("%+v", w.now())
		}
	})
}

func TestPTP(t *testing.T) {
	right := func() time.Time { return time.Now().Add(time.Hour) }
	start := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		read func() time.Time
		want string // fault
	}{
		"right":      {right, ""},
		"stuck":      {func() time.Time { return start }, "/dev/ptp0: it advanced by 0s in 100ms"},
		"too fast":   {func() time.Time { return start.Add(2 * time.Since(start)) }, "/dev/ptp0: it advanced by 200ms in 100ms"},
		"before all": {func() time.Time { return time.Unix(0, 0).Add(time.Since(start)) }, "/dev/ptp0: its time 1970-01-01T00:00:00Z is before the image was built"},
		"missing":    {nil, "/dev/ptp0: open /dev/ptp0: file does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 0, func(w *world) {
				w.config.Set(Config{Servers: []string{"/dev/ptp0"}})
				if c.read != nil {
					w.PTP = map[string]func() time.Time{"/dev/ptp0": c.read}
				}
				if err := errors.Join(w.MkdirAll("/sys/class/ptp/ptp0", 0o755), w.WriteFile("/sys/class/ptp/ptp0/clock_name", []byte("KVM virtual PTP\n"), 0o644)); err != nil {
					t.Fatal(err)
				}
			}, func(w *world) {
				wait(150 * time.Millisecond)
				if c.want != "" {
					if s := w.now(); s.Synced || !slices.Equal(s.Faults, []string{c.want}) {
						t.Errorf("%+v", s)
					}
					wait(time.Minute)
					if w.said("PTP device") != 1 || w.said("warning") != 1 {
						t.Errorf("%q", w.lines)
					}
					return
				}
				wait(2 * time.Second)
				if s := w.now(); s.Source != "/dev/ptp0" || s.Stratum != 0 || (w.ahead()-time.Hour).Abs() > time.Millisecond || s.Epoch != 1 {
					t.Errorf("%+v, %s ahead", s, w.ahead())
				}
				if w.said("PTP device /dev/ptp0: KVM virtual PTP") != 1 || w.said("adjusting time (step) by 1h0m0s via /dev/ptp0") != 1 {
					t.Errorf("%q", w.lines)
				}
			})
		})
	}
}

// TestRefusals: what the kernel does not do is said, and does not end the task.
func TestRefusals(t *testing.T) {
	inWorld(t, 1, func(w *world) { w.Refuses, w.Ahead = errors.New("not permitted"), -10*365*24*time.Hour }, func(w *world) {
		wait(time.Minute)
		if s := w.now(); s.Synced || len(s.Faults) != 1 || !strings.Contains(s.Faults[0], "not permitted") {
			t.Errorf("%+v", s)
		}
	})
	for _, c := range []struct {
		prepare func(w *world)
		faults  []string
	}{
		{func(w *world) { w.RTCError = errors.New("set /dev/rtc0: read-only") }, []string{"set /dev/rtc0: read-only"}},
		{func(w *world) { w.NoRTC = true }, nil},
	} {
		inWorld(t, 1, func(w *world) { w.Ahead = time.Minute; c.prepare(w) }, func(w *world) {
			wait(time.Second)
			if s := w.now(); !s.Synced || !slices.Equal(s.Faults, c.faults) || w.ahead().Abs() > time.Millisecond {
				t.Errorf("%+v, %s ahead", s, w.ahead())
			}
		})
	}
}

func TestReport(t *testing.T) {
	s := Status{Synced: true, Source: "10.0.0.1", Offset: -1500 * time.Microsecond, PollInterval: minPoll, Epoch: 2}
	r := s.Report(built.Add(-time.Second), built)
	if r.Now != "1999-05-31T23:59:59Z" || !r.BeforeBuild || !r.Synced || r.OffsetMS != -1.5 || r.PollS != 32 || r.Jumps != 2 {
		t.Errorf("%+v", r)
	}
}
