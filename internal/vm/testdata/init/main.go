// Command init is the whole user space of a test machine: it says that it is there and switches the machine off.
package main

import (
	"fmt"
	"os"
	"syscall"
)

func main() {
	fmt.Println("hello from init", os.Args[1:])
	syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
}
