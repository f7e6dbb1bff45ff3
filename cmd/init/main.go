//go:build linux

// Command init is process 1 of a bootwright machine, and its modprobe.
package main

import (
	"os"

	"github.com/bootwright/bootwright/initramfs/pid1"
)

func main() { os.Exit(pid1.Main(os.Args, os.Stderr)) }
