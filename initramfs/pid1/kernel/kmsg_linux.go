package kernel

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenKmsg follows Kmsg.
func (Linux) OpenKmsg() (KmsgReader, error) {
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
		return 0, ErrKmsgOverrun
	}
	return n, err
}
