//go:build linux || darwin

package store

import (
	"errors"
	"os"
	"syscall"
)

// flock takes the lock of f, which ends when f is closed or its process dies, without waiting. It returns errBusy, or
// errors.ErrUnsupported where the file system has no locks.
func flock(f *os.File) error {
	for {
		switch err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err {
		case syscall.EINTR:
		case syscall.EWOULDBLOCK:
			return errBusy
		case syscall.ENOLCK, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EBADF:
			return errors.ErrUnsupported
		default:
			return err
		}
	}
}
