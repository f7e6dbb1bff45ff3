package pid1

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/linux"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
)

// Main is the program: init as process 1, else modprobe, when args begin with that name or are "init modprobe …". It
// returns the exit status.
func Main(args []string, stderr io.Writer) int {
	if os.Getpid() == 1 {
		Run(linux.New())
		return 1 // the kernel panics, and starts the machine anew
	}
	if filepath.Base(args[0]) != "modprobe" && len(args) > 1 {
		args = args[1:]
	}
	if filepath.Base(args[0]) != "modprobe" {
		fmt.Fprintln(stderr, "this is the init of a bootwright machine; it runs as process 1, or as modprobe")
		return 2
	}
	debug.SetGCPercent(-1) // it ends before there is anything to collect, and the kernel waits for it
	return modules.Modprobe(linux.New(), args[1:], stderr)
}
