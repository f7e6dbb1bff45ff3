package fat

import (
	"encoding/binary"
	"time"
	"unicode/utf16"
)

// Attributes of a folder entry (section 6).
const (
	attrReadOnly = 0x01
	attrLabel    = 0x08
	attrFolder   = 0x10
	attrArchive  = 0x20
	attrLong     = 0x0F // read-only, hidden, system and label: an entry with a piece of a long name
	attrLongMask = 0x3F
)

// entry is the short entry of a file, folder or label.
type entry struct {
	name       shortName
	attr       byte
	lower      byte // lowerBase, lowerExt
	first      int64
	size       int64
	date, time uint16
	odd        byte // hundredths of a second beyond the two that time counts in, of the creation only
}

// stamp sets the entry's times, in UTC and within the years that FAT knows.
func (e *entry) stamp(t time.Time) {
	t = t.UTC()
	if first := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC); t.Before(first) {
		t = first
	}
	if last := time.Date(2107, 12, 31, 23, 59, 59, 0, time.UTC); t.After(last) {
		t = last
	}
	e.date = uint16((t.Year()-1980)<<9 | int(t.Month())<<5 | t.Day())
	e.time = uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	e.odd = byte(t.Second() % 2 * 100)
}

// modTime is when the entry was last written, to two seconds; zero for a time that does not exist.
func (e *entry) modTime() time.Time {
	d, s := int(e.date), int(e.time)
	t := time.Date(1980+d>>9, time.Month(d>>5&15), d&31, s>>11, s>>5&63, s&31*2, 0, time.UTC)
	if int(t.Month()) != d>>5&15 || t.Day() != d&31 {
		return time.Time{}
	}
	return t
}

func (e *entry) encode(p []byte) {
	le := binary.LittleEndian
	copy(p, e.name[:])
	p[11] = e.attr
	p[13] = e.odd
	le.PutUint16(p[14:], e.time)
	le.PutUint16(p[16:], e.date)
	le.PutUint16(p[18:], e.date)
	le.PutUint16(p[20:], uint16(e.first>>16))
	le.PutUint16(p[22:], e.time)
	le.PutUint16(p[24:], e.date)
	le.PutUint16(p[26:], uint16(e.first))
	le.PutUint32(p[28:], uint32(e.size))
}

func decodeEntry(p []byte, bits int) entry {
	le := binary.LittleEndian
	e := entry{
		name: shortName(p[:11]), attr: p[11], lower: p[12],
		first: int64(le.Uint16(p[26:])), size: int64(le.Uint32(p[28:])),
		time: le.Uint16(p[22:]), date: le.Uint16(p[24:]),
	}
	if bits == 32 { // elsewhere the upper half holds other things
		e.first |= int64(le.Uint16(p[20:])) << 16
	}
	return e
}

// A piece of a long name: its order counted from the end of the name, lastPiece set in the one that comes first.
const (
	lastPiece  = 0x40
	orderMask  = 0x1F
	freeEntry  = 0xE5
	endOfSlots = 0x00
)

// unitOffsets is where a piece holds its UTF-16 units.
func unitOffsets() [unitsPerEntry]int {
	return [...]int{1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30}
}

// longEntries is how many entries the long name takes.
func longEntries(name []uint16) int { return (len(name) + unitsPerEntry - 1) / unitsPerEntry }

// encodeLong writes the pieces of a long name to p, the last piece first; a name that ends within a piece is
// followed by a NUL and then by ones.
func encodeLong(p []byte, name []uint16, sum byte) {
	n := longEntries(name)
	for i := range n {
		e := p[i*slotSize:][:slotSize]
		order := n - i
		e[0] = byte(order)
		if i == 0 {
			e[0] |= lastPiece
		}
		e[11], e[13] = attrLong, sum
		for j, at := range unitOffsets() {
			unit := uint16(0xFFFF)
			if k := (order-1)*unitsPerEntry + j; k < len(name) {
				unit = name[k]
			} else if k == len(name) {
				unit = 0
			}
			binary.LittleEndian.PutUint16(e[at:], unit)
		}
	}
}

// longName gathers the pieces of a long name as a folder is read.
type longName struct {
	units [orderMask * unitsPerEntry]uint16
	count int // pieces in all
	next  int // order of the piece that must follow; 0 when all are there
	sum   byte
}

// add takes the next piece; one that does not follow makes the name worthless.
func (l *longName) add(p []byte) {
	order := int(p[0] & orderMask)
	switch {
	case order == 0:
		l.count = 0
		return
	case p[0]&lastPiece != 0:
		l.count, l.next, l.sum = order, order, p[13]
	case l.count == 0 || order != l.next || p[13] != l.sum:
		l.count = 0
		return
	}
	for j, at := range unitOffsets() {
		l.units[(order-1)*unitsPerEntry+j] = binary.LittleEndian.Uint16(p[at:])
	}
	l.next = order - 1
}

// take is the long name if it is whole and belongs to the short one, else "". It starts over.
func (l *longName) take(s shortName) string {
	whole := l.count > 0 && l.next == 0 && l.sum == s.checksum()
	units := l.units[:l.count*unitsPerEntry]
	l.count = 0
	if !whole {
		return ""
	}
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	return string(utf16.Decode(units))
}
