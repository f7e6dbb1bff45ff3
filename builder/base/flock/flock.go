// Package flock takes advisory locks on open files and folders (flock(2)), which end with the process at the latest. Where
// the system has none they are always free: what needs them here runs on Linux.
package flock

import (
	"context"
	"os"
	"time"
)

// Wait takes f's lock, waiting for whoever has it. Closing f gives it back.
func Wait(ctx context.Context, f *os.File) error {
	for {
		if ok, err := Try(f); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
