//go:build !linux && !darwin

package store

import (
	"errors"
	"os"
)

func flock(*os.File) error { return errors.ErrUnsupported }
