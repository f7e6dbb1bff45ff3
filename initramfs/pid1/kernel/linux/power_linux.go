package linux

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Signals follows Power.
func (Machine) Signals() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	signal.Notify(c, unix.SIGCHLD, unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGPWR)
	return c
}

// Reboot follows Power.
func (Machine) Reboot(a kernel.Action) error {
	unix.Sync()
	how := unix.LINUX_REBOOT_CMD_RESTART
	switch a {
	case kernel.PowerOff:
		how = unix.LINUX_REBOOT_CMD_POWER_OFF
	case kernel.Halt:
		how = unix.LINUX_REBOOT_CMD_HALT
	}
	return os.NewSyscallError("reboot", unix.Reboot(how))
}
