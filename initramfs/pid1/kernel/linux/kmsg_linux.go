package linux

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// OpenKmsg follows Kmsg.
func (Machine) OpenKmsg() (kernel.KmsgReader, error) {
	f, err := os.OpenFile("/dev/kmsg", os.O_RDONLY|unix.O_NONBLOCK, 0) // non-blocking, so that Close ends a Read
	if err != nil {
		return nil, err
	}
	return kmsgFile{f}, nil
}

// kmsgFile is /dev/kmsg.
type kmsgFile struct{ *os.File }

// Read follows KmsgReader.
func (k kmsgFile) Read(p []byte) (int, error) {
	n, err := k.File.Read(p)
	if errors.Is(err, unix.EPIPE) {
		return 0, kernel.ErrKmsgOverrun
	}
	return n, err
}
