package clock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp"
	"github.com/bootwright/bootwright/initramfs/pid1/clock/spike"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// The rules' numbers.
const (
	minPoll  = 32 * time.Second
	maxPoll  = 2048 * time.Second
	retry    = time.Second
	accuracy = 200 * time.Millisecond // that is expected
	stepOver = 400 * time.Millisecond
	jump     = 15 * time.Minute // what changes the clock by more must be said more than once
	maxError = 16 * time.Second // what the kernel calls unsynchronised

	burstSize = 8               // questions in the first poll of a server, and after a step, as ntpd's iburst
	burstGap  = 2 * time.Second // between them; servers that limit their clients (ntpd) drop what comes sooner
)

// poll measures once and acts upon it. It returns how long to wait before the next time.
func (t *task) poll(ctx context.Context) time.Duration {
	m, err := t.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return 0
	case err == nil:
		return t.take(m)
	}
	t.fail(err)
	if _, ok := errors.AsType[sntp.KissOfDeath](err); ok {
		t.burst = noBurst
		t.interval = min(2*max(t.interval, minPoll), maxPoll)
		return t.interval
	}
	return retry
}

// take acts upon a measurement.
func (t *task) take(m measurement) time.Duration {
	t.Log.Debugf("NTP response %s", fields("clock_offset", m.Offset, "rtt", m.RTT, "leap", m.Leap, "stratum", m.Stratum,
		"precision", m.Precision, "root_delay", m.RootDelay, "root_dispersion", m.RootDispersion, "root_distance", m.RootDistance))
	if m.Offset.Abs() > jump {
		if wait := t.doubt(m); wait > 0 {
			return wait
		}
	}
	t.claim = claim{}
	if m.server != t.source {
		t.source = m.server
		t.spikes.Reset()
		t.startBurst()
	}
	state, err := t.Machine.ClockState()
	if err != nil {
		t.fail(err)
		return retry
	}
	inBurst := t.burst > 0
	isSpike := t.spikes.IsSpike(spike.Sample{Offset: m.Offset - state.Offset, RTT: m.RTT}, inBurst)
	if inBurst {
		t.interval = minPoll
	} else {
		t.interval = nextInterval(t.interval, m.Offset, isSpike)
	}
	t.Log.Debugf("sample stats %s", fields("jitter", t.spikes.Jitter(), "poll_interval", t.interval, "spike", isSpike))
	if !isSpike {
		t.adjust(m, inBurst)
	} else if !inBurst {
		t.free = false // the next offset is that of more than minPoll
	}
	return t.next()
}

// noBurst is task.burst when a server has asked for less.
const noBurst = -1

// startBurst makes this answer the first of a burst. One within a burst does not prolong it, so that servers that do not agree are not
// asked every two seconds for ever.
func (t *task) startBurst() {
	if t.burst == 0 {
		t.burst = burstSize
	}
}

// next counts an answer and is how long to wait for the next one.
func (t *task) next() time.Duration {
	if t.burst <= 0 {
		return t.interval
	}
	t.burst--
	if t.burst > 0 {
		return burstGap
	}
	t.spikes.Settle()
	t.free = true
	return t.interval
}

// nextInterval is the interval after one of now and a measurement of offset.
func nextInterval(now, offset time.Duration, isSpike bool) time.Duration {
	switch offset = offset.Abs(); {
	case isSpike:
		now /= 2
	case offset > accuracy:
		return minPoll
	case offset < accuracy/4:
		now *= 2
	case offset > accuracy*3/4:
		now /= 2
	}
	return min(max(now, minPoll), maxPoll)
}

// adjust corrects the clock by a measurement. In a burst that is quick: the offset is mostly that from before, which says nothing of
// the frequency. The offset after minPoll is what the frequency has made of none: with a constant of 0 the kernel takes all of
// it for that, offset / 32 s.
func (t *task) adjust(m measurement, inBurst bool) {
	a := kernel.Adjustment{
		Offset: m.Offset, Step: m.Offset.Abs() > stepOver, Constant: bits.Len64(uint64(t.interval/time.Second)) - 1 - 4,
		MaxError: m.RootDistance, EstError: t.spikes.Jitter(),
	}
	if inBurst || t.free {
		a.Constant, a.Hold = 0, inBurst
	}
	if isLastOfMonth(t.Machine.Now().Add(m.Offset)) {
		a.Leap = kernel.Leap(m.Leap) // the kernel acts at the end of the day, the server means that of the month
	}
	state, err := t.Machine.AdjustClock(a)
	if err != nil {
		t.fail(fmt.Errorf("adjust the clock by %s: %w", m.Offset, err))
		return
	}
	say, how := t.Log.Debugf, "slew"
	if a.Step {
		how = "step"
	}
	if a.Step || !t.followed {
		say = t.Log.Infof
	}
	say("adjusting time (%s) by %s via %s, state %s, status %s", how, m.Offset, m.server, state.State, state.Status)
	t.Log.Debugf("adjtime state %s", fields("constant", state.Constant, "offset", state.Offset,
		"freq_offset", state.Frequency, "freq_offset_ppm", state.Frequency/65536))
	t.followed, t.free, t.complaint = true, false, ""
	t.update(func(s *Status) {
		s.Source, s.Offset, s.Stratum, s.Leap = m.server, m.Offset, m.Stratum, m.Leap
		s.Jitter, s.PollInterval, s.Faults = a.EstError, t.interval, nil
	})
	if a.Step || inBurst {
		t.spikes.Settle()
	}
	if a.Step {
		t.stepped(m.Offset)
	}
}

// stepped sees to what follows from a step.
func (t *task) stepped(by time.Duration) {
	t.startBurst()
	t.changed(by)
	if err := t.Machine.SetRTC(t.Machine.Now()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.fail(err)
	}
}

func isLastOfMonth(t time.Time) bool { return t.UTC().AddDate(0, 0, 1).Day() == 1 }
