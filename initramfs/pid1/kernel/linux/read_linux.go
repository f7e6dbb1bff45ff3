package linux

import (
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ReadFile is os.ReadFile without what that does for files that one may have to wait for: init reads a thousand single values of
// /proc and /sys at a boot, and a third of the time of such a read went there.
func (Machine) ReadFile(name string) ([]byte, error) {
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
	const first = 512
	for p := make([]byte, 0, first); ; {
		if len(p) == cap(p) {
			p = append(p, 0)[:len(p)]
		}
		n, err := retry(func() (int, error) { return unix.Read(fd, p[len(p):cap(p)]) })
		if err != nil {
			return p, &fs.PathError{Op: "read", Path: name, Err: err}
		}
		if n == 0 {
			return p, nil
		}
		p = p[:len(p)+n]
	}
}

// retry is for a system call that a signal interrupts.
func retry(call func() (int, error)) (n int, err error) {
	for {
		if n, err = call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
