package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// waitInfo is siginfo_t as waitid(2) fills it in on 64-bit machines: the process is the fourth word.
type waitInfo struct {
	signo, errno, code, _ int32
	child                 int32
	_                     [108]byte
}

func (w *waitInfo) asSiginfo() *unix.Siginfo { return (*unix.Siginfo)(unsafe.Pointer(w)) }
func (w *waitInfo) pid() int                 { return int(w.child) }
