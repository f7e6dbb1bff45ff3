package record

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"
)

// Both16 writes a number in both byte orders (section 7.2.3).
func Both16(p []byte, v uint16) {
	binary.LittleEndian.PutUint16(p, v)
	binary.BigEndian.PutUint16(p[2:], v)
}

// Both32 writes a number in both byte orders (section 7.3.3).
func Both32(p []byte, v uint32) {
	binary.LittleEndian.PutUint32(p, v)
	binary.BigEndian.PutUint32(p[4:], v)
}

// Lengths of the two forms of a time.
const (
	timeLen = 7
	// VolumeTimeLen is the length of the form in digits, that volume descriptors have.
	VolumeTimeLen = 17
)

// putTime writes seven bytes of UTC (section 9.1.5); a time that they cannot hold stays unspecified.
func putTime(p []byte, t time.Time) {
	if !hasTime(t) {
		return
	}
	t = t.UTC()
	copy(p, []byte{byte(t.Year() - 1900), byte(t.Month()), byte(t.Day()), byte(t.Hour()), byte(t.Minute()), byte(t.Second()), 0})
}

func hasTime(t time.Time) bool { y := t.UTC().Year(); return 1900 <= y && y <= 2155 }

// getTime reads what putTime writes, in any zone; the zero time where it is unspecified or nonsense.
func getTime(p []byte) time.Time {
	if p[1] < 1 || p[1] > 12 || p[2] < 1 || p[2] > 31 || p[3] > 23 || p[4] > 59 || p[5] > 59 {
		return time.Time{}
	}
	t := time.Date(1900+int(p[0]), time.Month(p[1]), int(p[2]), int(p[3]), int(p[4]), int(p[5]), 0, time.UTC)
	return t.Add(-zone(p[6]))
}

// zone is an offset from UTC in quarters of an hour.
func zone(b byte) time.Duration { return time.Duration(int8(b)) * 15 * time.Minute }

// VolumeTime is t in digits and a zone (section 8.4.26.1), in UTC; all zeros where t is unspecified.
func VolumeTime(t time.Time) string {
	if y := t.UTC().Year(); t.IsZero() || y < 1 || y > 9999 {
		return strings.Repeat("0", VolumeTimeLen-1) + "\x00"
	}
	t = t.UTC()
	return fmt.Sprintf("%s%02d\x00", t.Format("20060102150405"), t.Nanosecond()/1e7)
}

// ParseVolumeTime reads what VolumeTime writes, in any zone; the zero time where it is unspecified or nonsense.
func ParseVolumeTime(p []byte) time.Time {
	t, err := time.ParseInLocation("20060102150405", string(p[:14]), time.UTC)
	if err != nil {
		return time.Time{}
	}
	return t.Add(-zone(p[VolumeTimeLen-1]))
}
