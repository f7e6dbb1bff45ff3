package pid1

import (
	"syscall"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// pause is how long a person has to read why a boot failed.
const pause = 10 * time.Second

// giveUp starts the machine anew after a pause, or with panic=0 leaves it as it is, to be looked at.
func (b *boot) giveUp() {
	if args, err := readArguments(b.m); err == nil {
		if v, ok := args.Get("panic"); ok && v == "0" {
			b.say().Errorf("stopped here: the kernel argument panic=0 asks for it")
			return
		}
	}
	b.say().Errorf("the machine restarts in %s", pause)
	time.Sleep(pause)
	b.shutdown(kernel.Restart)
}

// obeySignals collects processes that have ended, and ends the machine when told to: by ctrl-alt-del (SIGINT) to start it
// anew, by SIGTERM or SIGPWR to switch it off. SIGHUP asks for the machine configuration to be read again.
func (b *boot) obeySignals() {
	for sig := range b.m.Signals() {
		switch sig {
		case syscall.SIGCHLD:
			b.m.Reap()
		case syscall.SIGHUP:
			b.current.Again()
		case syscall.SIGINT:
			b.shutdown(kernel.Restart)
		case syscall.SIGTERM, syscall.SIGPWR:
			b.shutdown(b.offAction())
		}
	}
}

// offAction is what "off" means on this machine.
func (b *boot) offAction() kernel.Action {
	args, _ := readArguments(b.m)
	if v, _ := args.Get(cmdline.Shutdown); v == "halt" {
		return kernel.Halt
	}
	return kernel.PowerOff
}

// shutdown ends the tasks, then the machine.
func (b *boot) shutdown(a kernel.Action) {
	b.end.Do(func() {
		log := b.say()
		log.Infof("the machine shuts down: %s", a)
		b.stopServices()
		if err := b.group.Stop(5 * time.Second); err != nil {
			log.Warnf("%v", err)
		}
		if b.volumes != nil {
			b.volumes.Unmount()
		}
		log.Flush(2 * time.Second)
		if err := b.m.Reboot(a); err != nil {
			log.Errorf("%s: %v", a, err)
		}
		log.Close()
		close(b.ended)
	})
}
