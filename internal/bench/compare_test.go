//go:build linux

package bench

import (
	"slices"
	"testing"
	"time"
)

// rounds are enough for a median that a busy neighbour does not move.
const rounds = 15

// entrant is one of several ways to do the same.
type entrant struct {
	name   string
	before func() // puts things back as they were; not timed
	run    func(round int)
}

// times are the entrants' durations by round.
type times map[string][]time.Duration

// compare runs the entrants in turn and reports the median of each in milliseconds. Each round begins with another one,
// so that none always runs in another's wake.
func compare(b *testing.B, entrants ...entrant) times {
	got := times{}
	for round := range max(rounds, b.N) {
		for i := range entrants {
			e := entrants[(i+round)%len(entrants)]
			if e.before != nil {
				e.before()
			}
			got.time(e.name, func() { e.run(round) })
		}
	}
	got.report(b)
	return got
}

// time adds how long do takes.
func (t times) time(name string, do func()) {
	start := time.Now()
	do()
	t[name] = append(t[name], time.Since(start))
}

// report reports the medians.
func (t times) report(b *testing.B) {
	hideTotal(b)
	for name, ds := range t {
		b.ReportMetric(median(ds).Seconds()*1000, name+"-ms")
	}
}

// hideTotal drops the time for each operation, which means nothing where one has many parts.
func hideTotal(b *testing.B) { b.ReportMetric(0, "ns/op") }

// ratio reports how many times as long as reference name took: the median over the rounds, each with its own weather.
func (t times) ratio(b *testing.B, name, reference string) {
	var rs []float64
	for i, d := range t[name] {
		rs = append(rs, float64(d)/float64(t[reference][i]))
	}
	b.ReportMetric(median(rs), name+"/"+reference)
}

func median[T time.Duration | float64](xs []T) T {
	xs = slices.Sorted(slices.Values(xs))
	return xs[len(xs)/2]
}
