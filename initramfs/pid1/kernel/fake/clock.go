package fake

import (
	"errors"
	"io/fs"
	"math"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Clock is a kernel.Clock. The true time is that of the bubble; the clock has an oscillator of its own, which the kernel's
// phase-locked loop steers as ntp_update_offset of Linux does, only smoothly where that does it second by second.
// The first fields are set before the clock is used; the zero Clock is right.
type Clock struct {
	Ahead    time.Duration // of the true time in the beginning
	Drift    float64       // by which the oscillator is too fast, in parts per million
	NoRTC    bool
	RTCError error
	Refuses  error                       // of AdjustClock
	PTP      map[string]func() time.Time // by device

	Adjustments []kernel.Adjustment // that were made
	RTC         []time.Time         // that were set

	mu       sync.Mutex
	ahead    float64   // seconds, of the true time
	at       time.Time // when it was so much
	offset   float64   // seconds, still to be added
	faster   float64   // by the loop: parts of 1
	constant int
	looped   time.Time // when the loop last got an offset; zero where it does not run
	state    string
	status   kernel.ClockStatus
}

// secondRate is the part of an offset that remains after a second: the loop removes 1/2^(SHIFT_PLL+constant) of it.
func (c *Clock) secondRate() float64 { return 1 - math.Exp2(-float64(2+c.constant)) }

// run brings the clock to the present.
func (c *Clock) run() {
	now := time.Now()
	if c.at.IsZero() {
		c.ahead, c.at = c.Ahead.Seconds(), now
	}
	elapsed := now.Sub(c.at).Seconds()
	rest := c.offset * math.Pow(c.secondRate(), elapsed)
	c.ahead += elapsed*(c.Drift/1e6+c.faster) + c.offset - rest
	c.offset, c.at = rest, now
}

// Now follows kernel.Clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run()
	return c.now()
}

func (c *Clock) now() time.Time { return c.at.Round(0).Add(seconds(c.ahead)) }

func seconds(s float64) time.Duration { return time.Duration(math.Round(s * 1e9)) }

// AdjustClock follows kernel.Clock.
func (c *Clock) AdjustClock(a kernel.Adjustment) (kernel.ClockState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Refuses != nil {
		return kernel.ClockState{}, c.Refuses
	}
	c.run()
	c.Adjustments = append(c.Adjustments, a)
	status := kernel.StatusNano
	switch {
	case a.Step:
		c.ahead += a.Offset.Seconds()
		c.offset, c.looped = 0, time.Time{}
	case a.Offset.Abs() > time.Second/2:
		return kernel.ClockState{}, errors.New("the offset is too much for the loop")
	default:
		status |= kernel.StatusPLL
		if c.looped.IsZero() || a.Hold {
			c.looped = c.at
		}
		if a.Hold {
			status |= kernel.StatusHold
		}
		c.constant, c.offset = a.Constant, a.Offset.Seconds()
		since := min(c.at.Sub(c.looped).Seconds(), math.Exp2(float64(2+1+c.constant)))
		c.faster += c.offset * since / math.Exp2(float64(2*(2+2+c.constant)))
		c.faster = max(-500e-6, min(500e-6, c.faster))
		c.looped = c.at
	}
	c.state = "TIME_OK"
	switch a.Leap {
	case kernel.InsertSecond:
		c.state, status = "TIME_INS", status|kernel.StatusInsert
	case kernel.DeleteSecond:
		c.state, status = "TIME_DEL", status|kernel.StatusDelete
	}
	c.status = status
	return c.disciplined(), nil
}

// ClockState follows kernel.Clock.
func (c *Clock) ClockState() (kernel.ClockState, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run()
	return c.disciplined(), nil
}

func (c *Clock) disciplined() kernel.ClockState {
	return kernel.ClockState{
		State: c.state, Status: c.status, Constant: c.constant, Offset: seconds(c.offset), Frequency: int64(c.faster * 1e6 * 65536),
	}
}

// SetRTC follows kernel.Clock.
func (c *Clock) SetRTC(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.NoRTC {
		return &fs.PathError{Op: "open", Path: "/dev/rtc0", Err: fs.ErrNotExist}
	}
	if c.RTCError == nil {
		c.RTC = append(c.RTC, t)
	}
	return c.RTCError
}

// ReadPTP follows kernel.Clock.
func (c *Clock) ReadPTP(device string) (kernel.PTPReading, error) {
	read := c.PTP[device]
	if read == nil {
		return kernel.PTPReading{}, &fs.PathError{Op: "open", Path: device, Err: fs.ErrNotExist}
	}
	before := c.Now()
	return kernel.PTPReading{Before: before, Device: read(), After: c.Now()}, nil
}
