package ring

import (
	"encoding/binary"
	"time"
)

// Cursor reads a ring from a place on. It is for one goroutine, and holds at most one chunk of memory.
type Cursor struct {
	ring *Ring
	next uint64 // to hand out

	data  []byte        // of the chunk that is being read; nil where nothing was left to read
	first uint64        // Seq of its first record
	end   uint64        // Seq behind its last record
	off   int           // in data, of the record seq
	seq   uint64        // at most next
	at    time.Duration // of the record before seq
}

// Cursor reads from the record seq on, which may be gone or yet to come. From Stats().Oldest it reads everything.
func (r *Ring) Cursor(seq uint64) *Cursor { return &Cursor{ring: r, next: seq} }

// Next returns the next record, and how many before it are gone since the one that was read last. ok is false while there
// is none.
func (c *Cursor) Next() (rec Record, missed uint64, ok bool) {
	if c.next >= c.end && !c.load() {
		return Record{}, 0, false
	}
	for rec = c.decode(); rec.Seq < c.next; {
		rec = c.decode()
	}
	missed = rec.Seq - c.next
	c.next = rec.Seq + 1
	return rec, missed, true
}

// load takes the chunk with the next record. A chunk that has grown or was compressed since still begins with the bytes
// that were read.
func (c *Cursor) load() bool {
	now, ok := c.ring.chunk(c.next)
	if !ok {
		c.data = nil
		return false
	}
	if now.first != c.first {
		c.off, c.seq, c.at = 0, now.first, 0
	}
	c.data, c.first, c.end = now.data, now.first, now.first+now.count
	return true
}

// decode takes the record seq.
func (c *Cursor) decode() Record {
	delta, n := binary.Varint(c.data[c.off:])
	c.off += n
	level := Level(c.data[c.off])
	c.off++
	length, n := binary.Uvarint(c.data[c.off:])
	c.off += n + int(length)
	c.at += time.Duration(delta)
	c.seq++
	return Record{Seq: c.seq - 1, At: c.at, Level: level, Text: c.data[c.off-int(length) : c.off : c.off]}
}

// Seq is that of the record to be read next, if it is still there then.
func (c *Cursor) Seq() uint64 { return c.next }
