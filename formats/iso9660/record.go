package iso9660

import (
	"encoding/binary"
	"time"
)

// Flags of a directory record (section 9.1.6).
const (
	flagDir        = 1 << 1
	flagAssociated = 1 << 2
	flagMore       = 1 << 7 // not the last extent of its file
)

// Offsets in a directory record (section 9.1).
const (
	recordXAR        = 1
	recordBlock      = 2
	recordSize       = 10
	recordTime       = 18
	recordFlags      = 25
	recordUnit       = 26
	recordGap        = 27
	recordVolume     = 28
	recordIDLength   = 32
	recordIdentifier = 33
)

// maxRecord is the longest directory record: its length is one byte, and even.
const maxRecord = 254

// record is a directory record.
type record struct {
	id    []byte
	rock  []byte // system use fields
	block uint32
	size  uint32
	flags byte
	time  time.Time
}

// recordHead is the length of a record up to its system use fields.
func recordHead(id []byte) int { return recordIdentifier + len(id) + (len(id)+1)&1 }

func recordLen(id, rock []byte) int { return recordHead(id) + len(rock) + len(rock)&1 }

// put writes r into p, which is zero and as long as recordLen says.
func (r record) put(p []byte) {
	p[0] = byte(len(p))
	both32(p[recordBlock:], r.block)
	both32(p[recordSize:], r.size)
	putTime(p[recordTime:], r.time)
	p[recordFlags] = r.flags
	both16(p[recordVolume:], 1)
	p[recordIDLength] = byte(len(r.id))
	copy(p[recordIdentifier:], r.id)
	copy(p[recordHead(r.id):], r.rock)
}

// both16 and both32 write a number in both byte orders (sections 7.2.3 and 7.3.3).
func both16(p []byte, v uint16) {
	binary.LittleEndian.PutUint16(p, v)
	binary.BigEndian.PutUint16(p[2:], v)
}

func both32(p []byte, v uint32) {
	binary.LittleEndian.PutUint32(p, v)
	binary.BigEndian.PutUint32(p[4:], v)
}

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
	return t.Add(-time.Duration(int8(p[6])) * 15 * time.Minute)
}
