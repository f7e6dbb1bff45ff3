package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Uevents follows Events.
func (Machine) Uevents() (kernel.UeventReader, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	const room = 16 << 20 // a machine with many disks sends thousands of events at once
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, room)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("bind", err)
	}
	return ueventSocket{os.NewFile(uintptr(fd), "uevents")}, nil
}

// ueventSocket reads a netlink socket. Only root may send to it, so who sent a message is not looked at.
type ueventSocket struct{ *os.File }

// Read follows UeventReader.
func (s ueventSocket) Read() (kernel.Uevent, error) {
	buf := make([]byte, 16<<10) // the kernel's messages have at most 2 KiB
	n, err := s.File.Read(buf)
	if errors.Is(err, unix.ENOBUFS) {
		return nil, kernel.ErrLost
	}
	return kernel.ParseUevent(buf[:max(n, 0)]), err
}
