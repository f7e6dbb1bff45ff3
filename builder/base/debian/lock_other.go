//go:build !unix

package debian

import (
	"errors"
	"os"
)

var errLocked = errors.New("locked") // never returned here

func tryLock(*os.File) error { return nil } // there is no apt on such systems
