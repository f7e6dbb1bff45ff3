//go:build unix

package oci

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps other processes from changing index.json meanwhile. It locks the folder itself, so that no file stays behind.
func (l layout) lock(ctx context.Context) (unlock func(), err error) {
	dir, err := os.Open(string(l))
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { dir.Close() }, nil
		case err != unix.EWOULDBLOCK:
			dir.Close()
			return nil, err
		}
		select {
		case <-ctx.Done():
			dir.Close()
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
