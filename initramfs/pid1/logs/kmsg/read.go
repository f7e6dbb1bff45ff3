package kmsg

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
)

// Reader copies the kernel log to a ring. What it has read it does not read again when it is run anew.
type Reader struct {
	Ring *ring.Ring // gets records as the kernel gave them, without keys and values, for Parse

	next    uint64 // Seq to read
	lost    atomic.Uint64
	damaged atomic.Uint64
}

// Lost is how many records the kernel overwrote before they were read.
func (r *Reader) Lost() uint64 { return r.lost.Load() }

// Damaged is how many records could not be parsed.
func (r *Reader) Damaged() uint64 { return r.damaged.Load() }

// Run reads until ctx ends, and then returns nil. It is for one goroutine at a time.
func (r *Reader) Run(ctx context.Context, k kernel.Kmsg) error {
	log, err := k.OpenKmsg()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { log.Close() })()
	defer log.Close()
	for buf := make([]byte, kernel.MaxKmsg); ; {
		n, err := log.Read(buf)
		switch {
		case errors.Is(err, kernel.ErrKmsgOverrun): // the gap in the numbers tells how many
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		default:
			r.add(buf[:n])
		}
	}
}

// add puts a record into the ring.
func (r *Reader) add(p []byte) {
	rec, err := Parse(p)
	if err != nil {
		r.damaged.Add(1)
		return
	}
	if rec.Seq < r.next {
		return
	}
	r.lost.Add(rec.Seq - r.next)
	r.next = rec.Seq + 1
	r.Ring.Append(rec.Clock, rec.Priority.Level(), firstLine(p))
}
