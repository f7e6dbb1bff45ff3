package kernel

import (
	"errors"
	"strings"
)

// ErrLost is that events came faster than they were read.
var ErrLost = errors.New("uevents were lost")

// ParseUevent reads a message of the kernel: "action@devpath", then KEY=value, each ended by a NUL.
func ParseUevent(p []byte) Uevent {
	e := Uevent{}
	for field := range strings.SplitSeq(string(p), "\x00") {
		if key, value, ok := strings.Cut(field, "="); ok {
			e[key] = value
		}
	}
	return e
}
