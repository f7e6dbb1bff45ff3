// Package nettest has sockets of packets, as DHCP clients use them, and names of hosts in memory.
package nettest

import (
	"net"
	"os"
	"sync"
	"time"
)

// NewPacketConn is a socket: what is written is handed to answer, and what that returns can be read, unless it is nil.
func NewPacketConn(answer func(packet []byte) []byte) net.PacketConn {
	return &packets{answer: answer, in: make(chan []byte, 16), closed: make(chan struct{})}
}

type packets struct {
	answer func(packet []byte) []byte
	in     chan []byte
	closed chan struct{}
	once   sync.Once
}

func (p *packets) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case packet := <-p.in:
		return copy(b, packet), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 67}, nil
	case <-p.closed:
		return 0, nil, net.ErrClosed
	}
}

func (p *packets) WriteTo(b []byte, _ net.Addr) (int, error) {
	if packet := p.answer(b); packet != nil {
		p.in <- packet
	}
	return len(b), nil
}

func (p *packets) Close() error                     { p.once.Do(func() { close(p.closed) }); return nil }
func (*packets) LocalAddr() net.Addr                { return &net.UDPAddr{Port: 68} }
func (*packets) SetDeadline(time.Time) error        { return os.ErrNoDeadline }
func (*packets) SetReadDeadline(time.Time) error    { return os.ErrNoDeadline }
func (*packets) SetWriteDeadline(t time.Time) error { return os.ErrNoDeadline }
