package linux

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// TestTimex: only what the kernel would be told; the clock of the machine that tests is nobody's to change.
func TestTimex(t *testing.T) {
	const always = unix.ADJ_NANO | unix.ADJ_STATUS | unix.ADJ_MAXERROR | unix.ADJ_ESTERROR
	for name, c := range map[string]struct {
		a    kernel.Adjustment
		want unix.Timex
	}{
		"slew": {
			kernel.Adjustment{Offset: -300 * time.Millisecond, Constant: 7, MaxError: 5 * time.Millisecond, EstError: time.Millisecond},
			unix.Timex{Modes: always | unix.ADJ_OFFSET | unix.ADJ_TIMECONST, Status: unix.STA_PLL, Offset: -300e6, Constant: 7, Maxerror: 5000, Esterror: 1000},
		},
		"slew, whatever the frequency": {
			kernel.Adjustment{Offset: time.Millisecond, Hold: true},
			unix.Timex{Modes: always | unix.ADJ_OFFSET | unix.ADJ_TIMECONST, Status: unix.STA_PLL | unix.STA_FREQHOLD, Offset: 1e6},
		},
		"slew before a leap second": {
			kernel.Adjustment{Leap: kernel.InsertSecond},
			unix.Timex{Modes: always | unix.ADJ_OFFSET | unix.ADJ_TIMECONST, Status: unix.STA_PLL | unix.STA_INS},
		},
		"step ahead": {
			kernel.Adjustment{Step: true, Offset: 1500 * time.Millisecond, Constant: 3, Leap: kernel.DeleteSecond},
			unix.Timex{Modes: always | unix.ADJ_SETOFFSET, Status: unix.STA_DEL, Time: unix.Timeval{Sec: 1, Usec: 5e8}},
		},
		"step back": {
			kernel.Adjustment{Step: true, Offset: -1500 * time.Millisecond},
			unix.Timex{Modes: always | unix.ADJ_SETOFFSET, Time: unix.Timeval{Sec: -2, Usec: 5e8}},
		},
		"step back by seconds": {
			kernel.Adjustment{Step: true, Offset: -time.Hour},
			unix.Timex{Modes: always | unix.ADJ_SETOFFSET, Time: unix.Timeval{Sec: -3600}},
		},
	} {
		if got := timex(c.a); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestClockState(t *testing.T) {
	got := clockState(1, &unix.Timex{Status: unix.STA_PLL | unix.STA_NANO, Constant: 7, Offset: 37060203, Freq: -1302069})
	if want := (kernel.ClockState{State: "TIME_INS", Status: kernel.StatusPLL | kernel.StatusNano, Constant: 7, Offset: 37060203, Frequency: -1302069}); got != want {
		t.Errorf("%+v", got)
	}
	if got := clockState(9, &unix.Timex{Offset: 5}); got.State != "state 9" || got.Offset != 5*time.Microsecond {
		t.Errorf("%+v", got)
	}
}

// TestPending: of 16 ms with a constant of 0 the kernel removes 4 in the first second, 3 in the next.
func TestPending(t *testing.T) {
	for _, c := range []struct {
		offset   time.Duration // that adjtimex(2) says
		constant int
		at, want time.Duration
	}{
		{12 * time.Millisecond, 0, 0, 16 * time.Millisecond},
		{12 * time.Millisecond, 0, 250 * time.Millisecond, 15 * time.Millisecond},
		{-9 * time.Millisecond, 0, 500 * time.Millisecond, -10500 * time.Microsecond},
		{7 * time.Millisecond, 1, 500 * time.Millisecond, 7500 * time.Microsecond},
		{0, 7, 0, 0},
	} {
		if got := pending(kernel.ClockState{Offset: c.offset, Constant: c.constant}, time.Unix(100, int64(c.at))); got != c.want {
			t.Errorf("%s, %d after %s: %s, want %s", c.offset, c.constant, c.at, got, c.want)
		}
	}
}

func TestStatusFlags(t *testing.T) {
	for flag, want := range map[kernel.ClockStatus]struct {
		value int
		name  string
	}{
		kernel.StatusPLL: {unix.STA_PLL, "STA_PLL"}, kernel.StatusInsert: {unix.STA_INS, "STA_INS"}, kernel.StatusDelete: {unix.STA_DEL, "STA_DEL"},
		kernel.StatusUnsync: {unix.STA_UNSYNC, "STA_UNSYNC"}, kernel.StatusNano: {unix.STA_NANO, "STA_NANO"},
		kernel.StatusHold: {unix.STA_FREQHOLD, "STA_FREQHOLD"},
		unix.STA_CLK:      {0x8000, "STA_CLK"}, kernel.StatusPLL | kernel.StatusNano: {0x2001, "STA_PLL | STA_NANO"}, 0: {0, ""},
	} {
		if int(flag) != want.value || flag.String() != want.name {
			t.Errorf("%#x is %q, want %#x and %q", int(flag), flag, want.value, want.name)
		}
	}
}

func TestRTCTime(t *testing.T) {
	got := rtcTime(time.Date(2026, 12, 31, 23, 59, 59, 6e8, time.FixedZone("", 3600)))
	if want := (unix.RTCTime{Sec: 0, Min: 0, Hour: 23, Mday: 31, Mon: 11, Year: 126}); got != want {
		t.Errorf("%+v", got)
	}
}

// TestClockReads: the clock is read, and what is no PTP clock says so.
func TestClockReads(t *testing.T) {
	var m Machine
	if now := m.Now(); time.Until(now).Abs() > time.Minute {
		t.Error(now)
	}
	if s, err := m.ClockState(); err != nil || s.State == "" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, device := range []string{"/dev/null", "/dev/nothing"} {
		if r, err := m.ReadPTP(device); err == nil {
			t.Errorf("%s: %v", device, r)
		}
	}
}
