package kernel

import (
	"math/bits"
	"strings"
	"time"
)

// Clock is the machine's clock, which counts UTC, and what else on the machine knows the time. A Time of its methods has no
// monotonic reading: the difference of two is that of the clock.
type Clock interface {
	// Now reads the clock.
	Now() time.Time
	// AdjustClock changes the clock as adjtimex(2) does, and says what came of it.
	AdjustClock(a Adjustment) (ClockState, error)
	// ClockState is how the kernel disciplines its clock now.
	ClockState() (ClockState, error)
	// SetRTC sets the battery-backed clock /dev/rtc0 to t, in UTC and to the second. Without one the error is fs.ErrNotExist.
	SetRTC(t time.Time) error
	// ReadPTP reads a hardware clock such as /dev/ptp0.
	ReadPTP(device string) (PTPReading, error)
}

// Adjustment is what AdjustClock changes.
type Adjustment struct {
	Offset   time.Duration // that is added to the clock
	Step     bool          // at once; otherwise by running faster or slower, at most half a second
	Constant int           // 0 to 10 of the phase-locked loop that does the latter: how slow it is, log2 of seconds less 4
	Hold     bool          // the loop takes nothing from Offset about the frequency
	Leap     Leap          // at the end of this UTC day
	MaxError time.Duration // that the clock can have afterwards
	EstError time.Duration // that it probably has
}

// Leap is what the last minute of the day has more or less, with the values of the leap indicator of NTP.
type Leap int

// The leaps.
const (
	NoLeap Leap = iota
	InsertSecond
	DeleteSecond
)

// ClockState is how the kernel disciplines its clock.
type ClockState struct {
	State     string        // such as TIME_OK: what leap second is under way
	Status    ClockStatus   //
	Constant  int           // as in Adjustment
	Offset    time.Duration // that is still to be added
	Frequency int64         // by which the clock is made faster, in 2^-16 parts per million
}

// ClockStatus are the STA_* flags of adjtimex(2).
type ClockStatus uint16

// Flags of ClockStatus that are used here.
const (
	StatusPLL    ClockStatus = 0x1
	StatusInsert ClockStatus = 0x10
	StatusDelete ClockStatus = 0x20
	StatusUnsync ClockStatus = 0x40
	StatusHold   ClockStatus = 0x80
	StatusNano   ClockStatus = 0x2000
)

// statusNames are those of the bits, the lowest first.
const statusNames = "PLL PPSFREQ PPSTIME FLL INS DEL UNSYNC FREQHOLD PPSSIGNAL PPSJITTER PPSWANDER PPSERROR CLOCKERR NANO MODE CLK"

// String is as in "STA_PLL | STA_NANO".
func (s ClockStatus) String() string {
	names := strings.Fields(statusNames)
	var set []string
	for ; s != 0; s &= s - 1 {
		set = append(set, "STA_"+names[bits.TrailingZeros16(uint16(s))])
	}
	return strings.Join(set, " | ")
}

// PTPReading is the time of a hardware clock, and that of the machine's right before and after it was read.
type PTPReading struct {
	Before, Device, After time.Time
}
