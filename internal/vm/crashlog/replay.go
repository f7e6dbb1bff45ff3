package crashlog

import (
	"fmt"
	"math/rand/v2"

	"github.com/bootwright/bootwright/formats/blob"
)

// Cursor goes forward through a log, and makes at each entry the disks that a power cut there could leave. All states of a
// log together cost one pass over what was written.
type Cursor struct {
	log    *Log
	kept   *Disk // with all that no power cut takes away
	at     int   // entries so far
	unsure int   // the first entry that no flush has followed yet
}

// Cursor is before the first entry of the log. Base is the disk as it was when the recording began.
func (l *Log) Cursor(base blob.Blob) *Cursor {
	return &Cursor{log: l, kept: newDisk(base)}
}

// Advance goes on to where n entries have been answered. It does not go back.
func (c *Cursor) Advance(n int) error {
	if n < c.at || n > len(c.log.Entries) {
		return fmt.Errorf("write log: entry %d cannot be reached from %d of %d", n, c.at, len(c.log.Entries))
	}
	for ; c.at < n; c.at++ {
		for c.log.Entries[c.at].Flush && c.unsure <= c.at {
			if err := c.log.apply(c.kept, c.unsure, c.log.Entries[c.unsure].Size); err != nil {
				return err
			}
			c.unsure++
		}
	}
	return nil
}

// Unsure counts the writes that a power cut here may lose.
func (c *Cursor) Unsure() (n int) {
	for _, e := range c.log.Entries[c.unsure:c.at] {
		if e.Size > 0 && !e.FUA {
			n++
		}
	}
	return n
}

// State is what a power cut here leaves, until the cursor goes on. The same place and seed always leave the same.
func (c *Cursor) State(seed uint64) (*Disk, error) {
	d := newDisk(c.kept)
	random := rand.New(rand.NewPCG(seed, uint64(c.at)))
	for i := c.unsure; i < c.at; i++ {
		e := c.log.Entries[i]
		size := e.Size
		if !e.FUA {
			switch random.IntN(4) {
			case 0:
				continue
			case 1:
				size = random.Int64N(e.Size/c.log.SectorSize+1) * c.log.SectorSize
			}
		}
		if err := c.log.apply(d, i, size); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// apply does the first size bytes of an entry. What is discarded reads as zeros.
func (l *Log) apply(d *Disk, i int, size int64) error {
	e := l.Entries[i]
	if e.Offset > d.Size()-size {
		return fmt.Errorf("write log: entry %d: %d bytes at %d of a disk of %d", i, size, e.Offset, d.Size())
	}
	buf := make([]byte, min(size, pageSize))
	for done := int64(0); done < size; {
		n := min(size-done, pageSize-(e.Offset+done)%pageSize)
		p := buf[:n]
		if e.Discard {
			p = nil
		} else if _, err := l.source.ReadAt(p, e.at+done); err != nil {
			return fmt.Errorf("write log: entry %d: %w", i, err)
		}
		if err := d.write(e.Offset+done, n, p); err != nil {
			return fmt.Errorf("write log: entry %d: %w", i, err)
		}
		done += n
	}
	return nil
}
