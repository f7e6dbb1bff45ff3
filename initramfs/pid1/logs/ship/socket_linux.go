package ship

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// sendBuffer is what the kernel may hold of a connection that is not read from; it takes twice that in memory.
	sendBuffer = 128 << 10
	// silence is how long sent bytes may stay unacknowledged until the connection counts as dead (tcp(7)).
	silence = 30 * time.Second
)

// prepare bounds what a TCP connection costs and how long a dead one seems to live. Other connections stay as they are.
func prepare(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetWriteBuffer(sendBuffer)
		control(tcp, func(fd int) {
			unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
		})
	}
}

// abort makes Close drop what the other side has not acknowledged.
func abort(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
}

// unacknowledged is how many written bytes the other side's kernel has not acknowledged (SIOCOUTQ of tcp(7)), also after
// the connection's end. It is 0 for connections without a buffer.
func unacknowledged(conn net.Conn) uint64 {
	n := 0
	if tcp, ok := conn.(*net.TCPConn); ok {
		control(tcp, func(fd int) { n, _ = unix.IoctlGetInt(fd, unix.SIOCOUTQ) })
	}
	return uint64(max(n, 0))
}

func control(conn syscall.Conn, f func(fd int)) {
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) })
	}
}
