package ship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
)

const (
	batchBytes   = 32 << 10 // that are written at once
	batchRecords = 64
	// datagramPause follows batchRecords datagrams: what a receiver's socket usually holds is a few hundred.
	datagramPause = 5 * time.Millisecond
	// maxDatagram is the longest payload of UDP over IPv4 (RFC 768, RFC 791): 65,535 without the headers.
	maxDatagram = 65507
	// After a reset, acknowledged records are repeated that are not older than regret, but at most regretRecords.
	regret        = time.Second
	regretRecords = 4096
)

// session is one connection.
type session struct {
	d       *Destination
	conn    net.Conn
	stream  bool // and not datagrams
	heads   []head
	buf     []byte
	written uint64     // bytes
	flight  []inFlight // what may have to be sent again, in order
	ended   chan error // the other side's end
}

// head is a stream and its first record that is not sent.
type head struct {
	Stream
	cursor *ring.Cursor
	rec    ring.Record
	full   bool // rec is one
}

// inFlight is a record that was sent.
type inFlight struct {
	stream int
	seq    uint64
	end    uint64 // of written bytes, behind it
	at     time.Time
}

func newSession(d *Destination, conn net.Conn) *session {
	return &session{d: d, conn: conn, stream: d.endpoint.Network == "tcp", ended: make(chan error, 1)}
}

// run sends until the connection or ctx ends.
func (s *session) run(ctx context.Context) error {
	prepare(s.conn)
	go func() { s.ended <- s.discard() }()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, func() { s.conn.Close() }) })()
	err := s.send(ctx)
	s.giveBack(err)
	if err != nil {
		abort(s.conn) // what the kernel still holds will be sent again, and must not take memory until then
	}
	s.conn.Close()
	return err
}

// discard reads what nobody asked for, and returns with the connection's end.
func (s *session) discard() error {
	if _, err := io.Copy(io.Discard, s.conn); err != nil {
		return err
	}
	return errClosed
}

var errClosed = errors.New("the other side closed the connection")

// send sends all there is and all that comes.
func (s *session) send(ctx context.Context) error {
	for {
		_, changed := s.d.deps.Changed.Watch()
		n, err := s.batch()
		if err != nil {
			return err
		}
		if n > 0 {
			select {
			case err := <-s.ended:
				return err
			default:
			}
			continue
		}
		select {
		case <-changed:
		case err := <-s.ended:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// batch sends the next records and returns how many.
func (s *session) batch() (n int, err error) {
	s.open()
	s.buf = s.buf[:0]
	for ; n < batchRecords && len(s.buf) < batchBytes; n++ {
		i := s.oldest()
		if i < 0 {
			break
		}
		h := &s.heads[i]
		if err := s.put(i, h.Fields(h.rec), s.tags()); err != nil {
			return n, err
		}
		h.full = false
	}
	if n == 0 {
		return 0, nil
	}
	if !s.stream {
		time.Sleep(datagramPause)
		return n, nil
	}
	err = s.write(s.buf)
	s.settle(time.Now())
	return n, err
}

func (s *session) tags() map[string]string {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	return s.d.tags
}

// open adds streams that are new.
func (s *session) open() {
	streams := s.d.adopt()
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for i := len(s.heads); i < len(streams); i++ {
		s.heads = append(s.heads, head{Stream: streams[i], cursor: streams[i].Ring.Cursor(s.d.resume[i])})
	}
}

// oldest is the stream with the oldest record that is not sent, or -1.
func (s *session) oldest() int {
	best := -1
	for i := range s.heads {
		h := &s.heads[i]
		if !h.full {
			var missed uint64
			h.rec, missed, h.full = h.cursor.Next()
			s.d.lost(missed)
		}
		if h.full && (best < 0 || h.rec.At < s.heads[best].rec.At) {
			best = i
		}
	}
	return best
}

// put appends an object to buf or, as a datagram, sends it.
func (s *session) put(stream int, fields map[string]any, tags map[string]string) error {
	if s.stream {
		p, _ := encode(fields, tags, 0)
		s.buf = append(append(s.buf, p...), '\n')
		s.flight = append(s.flight, inFlight{stream, s.heads[stream].rec.Seq, s.written + uint64(len(s.buf)), time.Now()})
	} else if fits, err := s.datagram(encode(fields, tags, maxDatagram)); err != nil {
		return err
	} else if !fits {
		s.d.lost(1)
		return nil
	}
	s.d.update(func(st *Status) { st.Sent++ })
	return nil
}

// datagram sends p if it fits.
func (s *session) datagram(p []byte, fits bool) (bool, error) {
	if !fits {
		return false, nil
	}
	s.conn.SetWriteDeadline(time.Now().Add(s.d.timeout))
	_, err := s.conn.Write(p)
	if errors.Is(err, syscall.EMSGSIZE) {
		return false, nil
	}
	return true, err
}

// write writes p, as long as there is progress.
func (s *session) write(p []byte) error {
	for len(p) > 0 {
		s.conn.SetWriteDeadline(time.Now().Add(s.d.timeout))
		n, err := s.conn.Write(p)
		s.written += uint64(n)
		p = p[n:]
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if late && n == 0 {
			return fmt.Errorf("it took nothing for %s", s.d.timeout)
		}
		if err != nil && !late {
			return err
		}
	}
	return nil
}

// settle forgets records that need not be sent again.
func (s *session) settle(now time.Time) {
	acked := s.written - unacknowledged(s.conn)
	n := 0
	for n < len(s.flight) && s.flight[n].end <= acked && (now.Sub(s.flight[n].at) > regret || len(s.flight)-n > regretRecords) {
		n++
	}
	s.flight = append(s.flight[:0], s.flight[n:]...)
}

// giveBack notes where the next session begins.
func (s *session) giveBack(err error) {
	acked := s.written - unacknowledged(s.conn)
	reset := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for i, h := range s.heads {
		s.d.resume[i] = h.cursor.Seq()
		if h.full {
			s.d.resume[i] = h.rec.Seq
		}
	}
	for i := len(s.flight) - 1; i >= 0; i-- {
		if f := s.flight[i]; f.end > acked || reset {
			s.d.resume[f.stream] = f.seq
			s.d.status.Sent--
		}
	}
}
