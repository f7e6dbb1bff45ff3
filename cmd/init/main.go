//go:build linux

// Command init is process 1 of a bootwright machine, and its modprobe.
package main

import "github.com/bootwright/bootwright/initramfs/pid1"

func main() { pid1.Main() }
