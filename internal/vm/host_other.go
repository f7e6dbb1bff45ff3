//go:build !linux

package vm

import (
	"os"
	"syscall"
)

func kvmWorks() bool { return false }

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(p *os.Process) error { return p.Kill() }
