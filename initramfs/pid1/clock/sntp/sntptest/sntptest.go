// Package sntptest is a time server for tests: right, or wrong in the way that a test wants.
package sntptest

import (
	"encoding/binary"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// Server answers questions. The zero Server is right, of stratum 2, and answers at once.
type Server struct {
	mu     sync.Mutex
	ahead  time.Duration
	edit   func(answer []byte)
	delays func() (there, back time.Duration)
	asked  []time.Time
}

// Ahead makes the server's clock wrong by d.
func (s *Server) Ahead(d time.Duration) { s.set(func() { s.ahead = d }) }

// Edit makes f change every answer before it is sent; an answer whose first byte it makes 0 is not.
func (s *Server) Edit(f func(answer []byte)) { s.set(func() { s.edit = f }) }

// Delays makes f say how long a question and its answer take on the network of Dial.
func (s *Server) Delays(f func() (there, back time.Duration)) { s.set(func() { s.delays = f }) }

func (s *Server) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Asked is when the server was asked.
func (s *Server) Asked() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.asked...)
}

// Silence is an Edit after which there is no answer.
func Silence(answer []byte) { answer[0] = 0 }

// PutTime writes t as a timestamp of NTP.
func PutTime(p []byte, t time.Time) {
	binary.BigEndian.PutUint32(p, uint32(t.Unix()+2208988800))
	binary.BigEndian.PutUint32(p[4:], uint32((uint64(t.Nanosecond())<<32+5e8)/1e9))
}

// answer is the answer to a question that comes now; nil is none.
func (s *Server) answer(question []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.asked = append(s.asked, now)
	p := make([]byte, 48)
	p[0], p[1], p[3] = 4<<3|4, 2, 0xe9 // version 4, server; stratum; 2^-23 s
	copy(p[12:], []byte{10, 0, 0, 9})
	now = now.Add(s.ahead)
	PutTime(p[16:], now.Add(-time.Minute))
	copy(p[24:32], question[40:48])
	PutTime(p[32:], now)
	PutTime(p[40:], now)
	if s.edit != nil {
		s.edit(p)
	}
	if p[0] == 0 {
		return nil
	}
	return p
}

// Listen answers on a UDP address, such as 127.0.0.1:0, until the test ends, and returns the address.
func (s *Server) Listen(t testing.TB, address string) net.Addr {
	t.Helper()
	c, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		buf := make([]byte, 1024)
		for {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				return
			}
			if n < 48 {
				continue
			}
			if p := s.answer(buf[:n]); p != nil {
				c.WriteTo(p, from)
			}
		}
	}()
	return c.LocalAddr()
}

// Dial is a connection to the server over a network that exists in a testing/synctest bubble.
func (s *Server) Dial() net.Conn {
	return &conn{server: s, answers: make(chan []byte, 16), closed: make(chan struct{}), poked: make(chan struct{}, 1)}
}

type conn struct {
	net.Conn // for what a client does not use
	server   *Server
	answers  chan []byte
	closed   chan struct{}
	poked    chan struct{} // the deadline is another

	mu    sync.Mutex
	until <-chan time.Time
}

func (c *conn) Write(p []byte) (int, error) {
	question := append([]byte(nil), p...)
	var there, back time.Duration
	c.server.set(func() {
		if c.server.delays != nil {
			there, back = c.server.delays()
		}
	})
	go func() {
		time.Sleep(there)
		p := c.server.answer(question)
		time.Sleep(back)
		if p != nil {
			c.answers <- p
		}
	}()
	return len(p), nil
}

func (c *conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = time.After(time.Until(t))
	select {
	case c.poked <- struct{}{}:
	default:
	}
	return nil
}

func (c *conn) Read(p []byte) (int, error) {
	for {
		c.mu.Lock()
		until := c.until
		c.mu.Unlock()
		select {
		case a := <-c.answers:
			return copy(p, a), nil
		case <-c.poked:
		case <-until:
			return 0, os.ErrDeadlineExceeded
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
}

func (c *conn) Close() error { close(c.closed); return nil }
