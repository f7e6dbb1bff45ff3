package kernel

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Signals follows Power.
func (Linux) Signals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, unix.SIGCHLD, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPWR)
	return c
}

// Reboot follows Power.
func (Linux) Reboot(a Action) error {
	unix.Sync()
	how := unix.LINUX_REBOOT_CMD_RESTART
	switch a {
	case PowerOff:
		how = unix.LINUX_REBOOT_CMD_POWER_OFF
	case Halt:
		how = unix.LINUX_REBOOT_CMD_HALT
	}
	return os.NewSyscallError("reboot", unix.Reboot(how))
}
