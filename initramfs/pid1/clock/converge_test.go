package clock

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
)

// network is how long questions and answers take.
type network func(random *rand.Rand) (there, back time.Duration)

// quiet is a good network.
func quiet(random *rand.Rand) (there, back time.Duration) {
	one := func() time.Duration { return time.Duration(2e6 + random.ExpFloat64()*5e5) }
	return one(), one()
}

// slow is a share of answers, or of questions, that take up to 400 ms longer.
func slow(share float64) network {
	return func(random *rand.Rand) (there, back time.Duration) {
		there, back = quiet(random)
		late := time.Duration(20e6 + random.Float64()*380e6)
		switch chance := random.Float64(); {
		case chance < share/2:
			there += late
		case chance < share:
			back += late
		}
		return there, back
	}
}

// TestConvergesSoon: wherever the clock starts, with an oscillator that is up to 50 ppm off, it is right soon and stays so for two
// minutes, even where some answers take long and some servers lie.
func TestConvergesSoon(t *testing.T) {
	for name, c := range map[string]struct {
		ahead   time.Duration
		network network
		liars   int // of three servers that say that it is ten years later
		within  time.Duration
	}{
		"300 ms ahead":                     {300 * time.Millisecond, quiet, 0, 14 * time.Second},
		"300 ms behind":                    {-300 * time.Millisecond, quiet, 0, 14 * time.Second},
		"right":                            {0, quiet, 0, 0},
		"5 minutes ahead":                  {5 * time.Minute, quiet, 0, 3 * time.Second},
		"5 minutes behind":                 {-5 * time.Minute, quiet, 0, 3 * time.Second},
		"a year behind":                    {-365 * 24 * time.Hour, quiet, 0, 3 * time.Second},
		"300 ms ahead, slow answers":       {300 * time.Millisecond, slow(0.3), 0, 20 * time.Second},
		"5 minutes behind, slow answers":   {-5 * time.Minute, slow(0.3), 0, 20 * time.Second},
		"right, slow answers":              {0, slow(0.3), 0, 20 * time.Second},
		"300 ms ahead, a liar":             {300 * time.Millisecond, quiet, 1, 14 * time.Second},
		"a year behind, a liar":            {-365 * 24 * time.Hour, quiet, 1, 6 * time.Second},
		"a year behind, a liar and slowly": {-365 * 24 * time.Hour, slow(0.3), 1, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var times []time.Duration
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 1))
				inWorld(t, 1+2*c.liars, func(w *world) {
					w.Ahead, w.Drift = c.ahead, 100*random.Float64()-50
					for i, s := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"}[:1+2*c.liars] {
						w.servers[s].Delays(func() (time.Duration, time.Duration) { return c.network(random) })
						if i < c.liars {
							w.servers[s].Ahead(10 * 365 * 24 * time.Hour)
						}
					}
				}, func(w *world) { times = append(times, w.rightAfter(2*time.Minute)) })
			}
			if worst := slices.Max(times); worst > c.within {
				t.Errorf("within 10 ms for good after %s, want %s", worst, c.within)
			}
			slices.Sort(times)
			t.Logf("within 10 ms for good after %s in the median, %s at most", times[len(times)/2], times[len(times)-1])
		})
	}
}

// rightAfter is when the clock was within 10 ms to stay so until the world is so old.
func (w *world) rightAfter(until time.Duration) (after time.Duration) {
	for at := time.Duration(0); at < until; at += 200 * time.Millisecond {
		if w.ahead().Abs() > 10*time.Millisecond {
			after = at + 200*time.Millisecond
		}
		wait(200 * time.Millisecond)
	}
	return after
}

// TestLearnsFrequency: the first poll after the burst tells what the oscillator is off by.
func TestLearnsFrequency(t *testing.T) {
	for _, drift := range []float64{-250, 250} {
		random := rand.New(rand.NewPCG(3, 3))
		inWorld(t, 1, func(w *world) {
			w.Ahead, w.Drift = 300*time.Millisecond, drift
			w.servers["10.0.0.1"].Delays(func() (time.Duration, time.Duration) { return quiet(random) })
		}, func(w *world) {
			if after := w.rightAfter(5 * time.Minute); after > 14*time.Second {
				t.Errorf("%v ppm: within 10 ms for good after %s", drift, after)
			}
		})
	}
}

// TestBurst: the first poll of a server, and one that stepped the clock, are eight questions; nothing is asked sooner than two seconds
// later even if servers never agree with themselves.
func TestBurst(t *testing.T) {
	gaps := func(s *sntptest.Server) (gaps []time.Duration) {
		asked := s.Asked()
		for i := range asked[1:] {
			gaps = append(gaps, asked[i+1].Sub(asked[i]).Round(time.Second))
		}
		return gaps
	}
	const two = 2 * time.Second
	inWorld(t, 1, nil, func(w *world) {
		wait(time.Minute)
		w.servers["10.0.0.1"].Ahead(time.Second)
		wait(time.Minute + 10*time.Second)
		burst := slices.Repeat([]time.Duration{two}, burstSize-1)
		if got, want := gaps(w.servers["10.0.0.1"]), slices.Concat(burst, []time.Duration{minPoll, 2 * minPoll}, burst); !slices.Equal(got, want) {
			t.Errorf("asked after %v, want %v", got, want)
		}
	})
	inWorld(t, 1, func(w *world) {
		ahead := time.Duration(0)
		w.servers["10.0.0.1"].Edit(func(p []byte) {
			ahead = time.Second - ahead
			for _, i := range []int{16, 32, 40} {
				sntptest.PutTime(p[i:], time.Now().Add(ahead))
			}
		})
	}, func(w *world) {
		wait(10 * time.Minute)
		if n := len(w.servers["10.0.0.1"].Asked()); n > burstSize*14 {
			t.Errorf("asked %d times in ten minutes", n)
		}
	})
	inWorld(t, 1, func(w *world) {
		asked := 0
		w.servers["10.0.0.1"].Edit(func(p []byte) {
			if asked++; asked == 2 {
				p[1] = 0
				copy(p[12:], "RATE")
			}
		})
	}, func(w *world) {
		wait(5 * time.Minute)
		if got, want := gaps(w.servers["10.0.0.1"]), []time.Duration{two, 2 * minPoll, 4 * minPoll}; !slices.Equal(got, want) {
			t.Errorf("asked after %v, want %v", got, want)
		}
	})
}
