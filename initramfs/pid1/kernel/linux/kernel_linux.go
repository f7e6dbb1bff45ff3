package linux

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Machine is the machine that the process runs on.
type Machine struct{ children *children }

var _ kernel.Kernel = Machine{}

// New is a machine whose init has started no program yet.
func New() Machine { return Machine{&children{own: map[int]bool{}}} }

// Open is os.Open, and so on.
func (Machine) Open(name string) (*os.File, error)           { return os.Open(name) }
func (Machine) ReadDir(name string) ([]fs.DirEntry, error)   { return os.ReadDir(name) }
func (Machine) ReadLink(name string) (string, error)         { return os.Readlink(name) }
func (Machine) MkdirAll(name string, perm fs.FileMode) error { return os.MkdirAll(name, perm) }
func (Machine) Symlink(target, name string) error            { return os.Symlink(target, name) }
func (Machine) WriteFile(name string, data []byte, perm fs.FileMode) error {
	return os.WriteFile(name, data, perm)
}

// SinceBoot follows Kernel.
func (Machine) SinceBoot() time.Duration {
	var ts unix.Timespec
	unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // cannot fail: the clock exists
	return time.Duration(ts.Nano())
}

// LoadModule follows Modules.
func (Machine) LoadModule(name, options string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if strings.HasSuffix(name, ".ko") {
		err = unix.FinitModule(int(f.Fd()), options, 0) // the kernel then knows where it came from
	} else {
		err = loadCompressed(f, options)
	}
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

func loadCompressed(f *os.File, options string) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	plain, err := kmod.Decompress(f.Name(), io.NewSectionReader(f, 0, st.Size()))
	if err != nil {
		return err
	}
	image, err := blob.ReadAll(plain, plain.Size())
	if err != nil {
		return err
	}
	return unix.InitModule(image, options)
}

// OpenConsole follows Consoles.
func (Machine) OpenConsole(name string) (kernel.Console, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	return terminal{f}, nil
}

type terminal struct{ *os.File }

// Drain is tcdrain(3).
func (t terminal) Drain() error { return unix.IoctlSetInt(int(t.Fd()), unix.TCSBRK, 1) }
