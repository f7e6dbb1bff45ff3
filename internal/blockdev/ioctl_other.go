//go:build !linux

package blockdev

import "os"

// sectorSize is what all disks but a few have.
func sectorSize(*os.File) (int, error) { return 512, nil }

func forget(*os.File) {}

func reread(*os.File) error { return nil }
