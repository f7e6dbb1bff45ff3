//go:build unix

package flock

import (
	"os"

	"golang.org/x/sys/unix"
)

// Try takes f's lock unless someone has it.
func Try(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
