// Package spike tells measurements of a clock's offset that the network has spoiled from those to act upon, as
// systemd-timesyncd does.
package spike

import (
	"math"
	"time"
)

// Sample is what one answer of a server says.
type Sample struct {
	Offset, RTT time.Duration
}

// The rules' numbers.
const (
	kept      = 8 // samples
	needed    = 4 // samples before one is a spike
	inflation = 3 // times the shortest round trip, or the jitter
)

// Detector keeps the last samples of one server. The zero Detector has none.
type Detector struct {
	ring   []Sample // the oldest first
	jitter float64  // seconds
	seen   int
}

// Reset forgets everything: samples of another server or from before a step say nothing.
func (d *Detector) Reset() { *d = Detector{} }

// Jitter is how much offsets differ from that with the shortest round trip, as a root mean square.
func (d *Detector) Jitter() time.Duration { return time.Duration(d.jitter * float64(time.Second)) }

// IsSpike takes the next sample and tells whether to pass over it. Spikes are kept too, so that a network that has become
// slow is not one after another: with the eighth there is nothing else to compare with.
func (d *Detector) IsSpike(s Sample) bool {
	d.seen++
	if d.seen == 1 {
		return false // its round trip has resolving names and filling caches in it
	}
	previous, jitter := s, d.jitter
	if n := len(d.ring); n > 0 {
		previous = d.ring[n-1]
	}
	if len(d.ring) == kept {
		d.ring = d.ring[1:]
	}
	d.ring = append(d.ring, s)
	return d.spoiled(s, previous, d.measure(), jitter)
}

// measure sets the jitter and returns the sample with the shortest round trip.
func (d *Detector) measure() Sample {
	best := d.ring[0]
	for _, s := range d.ring {
		if s.RTT < best.RTT {
			best = s
		}
	}
	sum := 0.0
	for _, s := range d.ring {
		sum += math.Pow((s.Offset - best.Offset).Seconds(), 2)
	}
	d.jitter = math.Sqrt(sum / float64(max(1, len(d.ring)-1)))
	return best
}

// spoiled is the rules. What the round trip cannot explain is never a spike; what it can explain is one if the answer came
// much later than the quickest, or if the offset jumped by much more than it used to.
func (d *Detector) spoiled(s, previous, best Sample, jitter float64) bool {
	switch {
	case s.Offset.Abs() > s.RTT, d.seen < needed:
		return false
	case s.RTT > inflation*best.RTT:
		return true
	}
	return (s.Offset - previous.Offset).Abs().Seconds() > inflation*jitter
}
