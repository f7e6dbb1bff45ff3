package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
)

// Main is the program: init as process 1, else modprobe, when it is called by that name or as "init modprobe …".
func Main() {
	if os.Getpid() == 1 {
		Run(kernel.Linux{})
		return
	}
	args := os.Args
	if filepath.Base(args[0]) != "modprobe" && len(args) > 1 {
		args = args[1:]
	}
	if filepath.Base(args[0]) != "modprobe" {
		fmt.Fprintln(os.Stderr, "this is the init of a bootwright machine; it runs as process 1, or as modprobe")
		os.Exit(2)
	}
	debug.SetGCPercent(-1) // it ends before there is anything to collect, and the kernel waits for it
	os.Exit(modules.Modprobe(kernel.Linux{}, args[1:], os.Stderr))
}
