package linux

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Now follows Clock.
func (Machine) Now() time.Time { return time.Now().Round(0) }

// AdjustClock follows Clock.
func (Machine) AdjustClock(a kernel.Adjustment) (kernel.ClockState, error) {
	tx := timex(a)
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return kernel.ClockState{}, os.NewSyscallError("adjtimex", err)
	}
	return clockState(state, &tx), nil
}

// ClockState follows Clock.
func (l Machine) ClockState() (kernel.ClockState, error) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	if err != nil {
		return kernel.ClockState{}, os.NewSyscallError("adjtimex", err)
	}
	s := clockState(state, &tx)
	s.Offset = pending(s, l.Now())
	return s, nil
}

// pending is what is still to be added to the clock. The kernel takes a part of the offset off when a second of its clock
// begins, and adds it in the course of that second (second_overflow in kernel/time/ntp.c).
func pending(s kernel.ClockState, now time.Time) time.Duration {
	underWay := s.Offset / (1<<(2+max(0, min(s.Constant, 10))) - 1)
	return s.Offset + time.Duration((1-float64(now.Nanosecond())/1e9)*float64(underWay))
}

// timex is a for the kernel. A step leaves the loop, so that the next adjustment starts it afresh.
func timex(a kernel.Adjustment) unix.Timex {
	tx := unix.Timex{
		Modes:    unix.ADJ_NANO | unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR,
		Maxerror: a.MaxError.Microseconds(), Esterror: a.EstError.Microseconds(),
	}
	switch a.Leap {
	case kernel.InsertSecond:
		tx.Status = unix.STA_INS
	case kernel.DeleteSecond:
		tx.Status = unix.STA_DEL
	}
	if !a.Step {
		tx.Modes |= unix.ADJ_OFFSET | unix.ADJ_TIMECONST
		tx.Status |= unix.STA_PLL
		tx.Offset, tx.Constant = int64(a.Offset), int64(a.Constant)
		if a.Hold {
			tx.Status |= unix.STA_FREQHOLD
		}
		return tx
	}
	tx.Modes |= unix.ADJ_SETOFFSET
	tx.Time.Sec, tx.Time.Usec = int64(a.Offset/time.Second), int64(a.Offset%time.Second)
	if tx.Time.Usec < 0 { // nanoseconds, which must not be negative
		tx.Time.Sec, tx.Time.Usec = tx.Time.Sec-1, tx.Time.Usec+int64(time.Second)
	}
	return tx
}

func clockState(state int, tx *unix.Timex) kernel.ClockState {
	names := [...]string{"TIME_OK", "TIME_INS", "TIME_DEL", "TIME_OOP", "TIME_WAIT", "TIME_ERROR"}
	s := kernel.ClockState{
		State: fmt.Sprintf("state %d", state), Status: kernel.ClockStatus(tx.Status), Constant: int(tx.Constant),
		Offset: time.Duration(tx.Offset), Frequency: tx.Freq,
	}
	if state >= 0 && state < len(names) {
		s.State = names[state]
	}
	if s.Status&kernel.StatusNano == 0 {
		s.Offset *= 1000 // the kernel counts microseconds
	}
	return s
}

// SetRTC follows Clock.
func (Machine) SetRTC(t time.Time) error {
	f, err := os.OpenFile("/dev/rtc0", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	rt := rtcTime(t)
	if err := unix.IoctlSetRTCTime(int(f.Fd()), &rt); err != nil {
		return fmt.Errorf("set /dev/rtc0: %w", err)
	}
	return nil
}

func rtcTime(t time.Time) unix.RTCTime {
	t = t.UTC().Round(time.Second)
	return unix.RTCTime{
		Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
		Mday: int32(t.Day()), Mon: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900,
	}
}

// ReadPTP follows Clock. Of three readings it is the quickest, which what else the machine does has disturbed least.
func (l Machine) ReadPTP(device string) (kernel.PTPReading, error) {
	f, err := os.Open(device)
	if err != nil {
		return kernel.PTPReading{}, err
	}
	defer f.Close()
	clock := unix.FdToClockID(int(f.Fd()))
	var best kernel.PTPReading
	for i := range 3 {
		var ts unix.Timespec
		before := l.Now()
		err := unix.ClockGettime(clock, &ts)
		after := l.Now()
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENODEV) {
			return kernel.PTPReading{}, fmt.Errorf("%s is not a clock: %w", device, err)
		}
		if err != nil {
			return kernel.PTPReading{}, fmt.Errorf("read %s: %w", device, err)
		}
		if i == 0 || after.Sub(before) < best.After.Sub(best.Before) {
			best = kernel.PTPReading{Before: before, Device: time.Unix(ts.Unix()), After: after}
		}
	}
	return best, nil
}
