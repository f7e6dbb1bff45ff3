package kernel

import "time"

// Watchdogs are timers that reset the machine (Documentation/watchdog/watchdog-api.rst).
type Watchdogs interface {
	// OpenWatchdog opens and starts a watchdog such as /dev/watchdog0.
	OpenWatchdog(device string) (Watchdog, error)
}

// Watchdog is a timer that runs.
type Watchdog interface {
	// SetTimeout sets after how long without a Ping the machine is reset, and returns what the device makes of it.
	SetTimeout(d time.Duration) (time.Duration, error)
	Ping() error
	// Disarm stops the timer, where the driver allows that, and closes it.
	Disarm() error
}
