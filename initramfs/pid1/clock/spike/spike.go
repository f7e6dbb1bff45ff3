// Package spike tells measurements of a clock's offset that the network has spoiled from those to act upon: as
// systemd-timesyncd does, but from the second measurement on, and in a burst by the quickest answer as RFC 5905 does (section 10,
// clock filter).
package spike

import (
	"math"
	"time"
)

// Sample is what one answer of a server says.
type Sample struct {
	Offset time.Duration // to be added to the clock, beyond what it is being corrected by already
	RTT    time.Duration
}

// The rules' numbers.
const (
	kept      = 8 // samples
	needed    = 4 // samples before an offset is strange
	inflation = 3 // times the shortest round trip, or the jitter
)

// Detector keeps the last samples of one server. The zero Detector has none.
type Detector struct {
	ring   []Sample // the oldest first
	jitter float64  // seconds
}

// Reset forgets everything: samples of another server say nothing.
func (d *Detector) Reset() { *d = Detector{} }

// Settle leaves only the quickest sample, by which the clock has been set: the others' offsets are from before that.
func (d *Detector) Settle() {
	if len(d.ring) > 0 {
		d.ring = []Sample{{RTT: d.best().RTT}}
	}
}

// Jitter is how much offsets differ from that with the shortest round trip, as a root mean square. It is 0 until there are two.
func (d *Detector) Jitter() time.Duration { return time.Duration(d.jitter * float64(time.Second)) }

// IsSpike takes the next sample and tells whether to pass over it; in a burst because there was a better one, or comes soon. Spikes
// are kept too, so that a network that has become slow is not one after another: with the eighth there is nothing else to compare
// with.
func (d *Detector) IsSpike(s Sample, burst bool) bool {
	previous, jitter := s, d.jitter
	if n := len(d.ring); n > 0 {
		previous = d.ring[n-1]
	}
	if len(d.ring) == kept {
		d.ring = d.ring[1:]
	}
	d.ring = append(d.ring, s)
	best := d.best()
	d.measure(best)
	// What the round trip cannot explain is never a spike, nor is the quickest answer.
	switch {
	case s.Offset.Abs() > s.RTT, s.RTT <= best.RTT:
		return false
	case burst, s.RTT > inflation*best.RTT:
		return true
	case len(d.ring) < needed:
		return false
	}
	return (s.Offset - previous.Offset).Abs().Seconds() > inflation*jitter
}

// best is the sample with the shortest round trip.
func (d *Detector) best() Sample {
	best := d.ring[0]
	for _, s := range d.ring {
		if s.RTT < best.RTT {
			best = s
		}
	}
	return best
}

// measure sets the jitter.
func (d *Detector) measure(best Sample) {
	sum := 0.0
	for _, s := range d.ring {
		sum += math.Pow((s.Offset - best.Offset).Seconds(), 2)
	}
	d.jitter = math.Sqrt(sum / float64(max(1, len(d.ring)-1)))
}
