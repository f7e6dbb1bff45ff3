package linux

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// OpenWatchdog follows Watchdogs.
func (Machine) OpenWatchdog(device string) (kernel.Watchdog, error) {
	f, err := os.OpenFile(device, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	return watchdog{f}, nil
}

type watchdog struct{ *os.File }

// SetTimeout follows Watchdog.
func (w watchdog) SetTimeout(d time.Duration) (time.Duration, error) {
	if err := unix.IoctlSetPointerInt(int(w.Fd()), unix.WDIOC_SETTIMEOUT, int(d.Seconds())); err != nil {
		return 0, fmt.Errorf("set the timeout of %s: %w", w.Name(), err)
	}
	s, err := unix.IoctlGetInt(int(w.Fd()), unix.WDIOC_GETTIMEOUT)
	if err != nil {
		return d, nil // it need not tell
	}
	return time.Duration(s) * time.Second, nil
}

// Ping follows Watchdog.
func (w watchdog) Ping() error { return unix.IoctlWatchdogKeepalive(int(w.Fd())) }

// Disarm follows Watchdog: a "V" right before the file is closed stops the timer.
func (w watchdog) Disarm() error {
	_, err := w.Write([]byte("V"))
	return errors.Join(err, w.Close())
}
