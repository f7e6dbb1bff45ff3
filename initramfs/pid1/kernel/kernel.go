// Package kernel is everything that PID 1 does to the machine, behind small interfaces, so that a whole boot is a unit
// test on a fake machine (package fake). Package linux is the real one.
//
// Names of files are absolute, as init sees them at the time: SwitchRoot changes what they mean.
package kernel

import (
	"io/fs"
	"os"
	"path"
	"time"
)

// Kernel is the whole machine. Code asks for the part that it needs.
type Kernel interface {
	Files
	Mounts
	Modules
	Events
	Consoles
	Processes
	Network
	Entropy
	Power
	Clock
	Names
	Kmsg
	Replacing
	Watchdogs
	Disks
	Folders
	// SinceBoot is the time since the kernel started, time asleep included (CLOCK_BOOTTIME).
	SinceBoot() time.Duration
}

// Files are files by absolute name; the functions are those of package os.
type Files interface {
	Open(name string) (*os.File, error)
	ReadFile(name string) ([]byte, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	ReadLink(name string) (string, error)
	WriteFile(name string, data []byte, perm fs.FileMode) error
	MkdirAll(name string, perm fs.FileMode) error
	Symlink(target, name string) error
}

// FS is the folder dir of f.
func FS(f Files, dir string) fs.FS { return folder{f, dir} }

type folder struct {
	files Files
	dir   string
}

func (d folder) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := d.files.Open(path.Join(d.dir, name))
	if err != nil {
		return nil, err // not a File that is nil inside
	}
	return f, nil
}

// Mounts changes what is mounted where.
type Mounts interface {
	// Mount mounts m, and makes its mount point where it can. What is mounted there already is no error.
	Mount(m Mount) error
	// MoveMount moves the mount at from to the existing folder to.
	MoveMount(from, to string) error
	// AttachLoop makes a read-only block device of a file and returns its name.
	AttachLoop(file string) (device string, err error)
	// SwitchRoot makes the mount at dir the root, for init and for what the kernel itself starts, and frees what the
	// initramfs takes. It refuses where the root is not an initramfs.
	SwitchRoot(dir string) error
}

// Mount is one mount(2).
type Mount struct {
	Source string // device, file or name; empty means the type
	Target string
	Type   string // file system type; empty binds Source to Target
	Flags  Flags
	Data   string // options of the file system
}

// Flags of a mount.
type Flags uintptr

// The flags, with the values of mount(2).
const (
	ReadOnly Flags = 1 << iota
	NoSUID
	NoDev
	NoExec
)

// Modules loads kernel modules.
type Modules interface {
	// LoadModule loads the module in the file of that name, compressed or not, with options such as "a=1 b=2". One that is
	// loaded already is no error.
	LoadModule(name, options string) error
}

// Events are what the kernel says of devices.
type Events interface {
	// Uevents listens from now on, until Close.
	Uevents() (UeventReader, error)
}

// UeventReader gives events one after another. ErrLost says that there were too many to keep.
type UeventReader interface {
	Read() (Uevent, error)
	Close() error
}

// Uevent is what happened to a device: its keys, such as ACTION, DEVPATH and MODALIAS.
type Uevent map[string]string

// Consoles are where people look.
type Consoles interface {
	// OpenConsole opens a terminal such as /dev/ttyS0 for writing.
	OpenConsole(name string) (Console, error)
}

// Console is a terminal.
type Console interface {
	Write(p []byte) (int, error)
	Drain() error // waits until everything written has left the machine
	Close() error
}

// Action is what Reboot ends in.
type Action string

// The actions.
const (
	Restart  Action = "restart"
	PowerOff Action = "power off"
	Halt     Action = "halt"
)

// Power ends the machine.
type Power interface {
	// Signals are those that init gets: SIGCHLD, SIGHUP, SIGINT (ctrl-alt-del), SIGTERM, SIGPWR and so on.
	Signals() <-chan os.Signal
	// Reap collects the processes that have ended and that nobody waits for, and returns how many.
	Reap() int
	// Reboot writes what is in memory to disks and ends the machine. It returns only if that fails.
	Reboot(a Action) error
}
