package modules

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// Modprobe is modprobe(8) as far as the kernel uses it ("modprobe -q -- fs-xfs"), and for a person "modprobe NAME
// [OPTION=VALUE…]". It returns the exit status.
func Modprobe(m Machine, args []string, stderr io.Writer) int {
	quiet := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch flag := args[0]; flag {
		case "-q", "--quiet":
			quiet = true
		case "-b", "--use-blacklist", "--":
		default:
			fmt.Fprintf(stderr, "modprobe: unknown flag %s\n", flag)
			return 1
		}
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(stderr, "modprobe: name a kernel module")
		return 1
	}
	if err := modprobe(m, args[0], args[1:]); err != nil {
		if !quiet {
			fmt.Fprintf(stderr, "modprobe: %v\n", err)
		}
		return 1
	}
	return 0
}

func modprobe(m Machine, name string, options []string) error {
	release, err := m.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	line, err := m.ReadFile("/proc/cmdline")
	if err != nil {
		return err
	}
	args := cmdline.Parse(string(line))
	for _, o := range options {
		args = append(args, cmdline.Parse(name+"."+o)...)
	}
	l := NewLoader(m, args, func(f func()) { f() })
	if err := l.Use(Dir(strings.TrimSpace(string(release)))); err != nil {
		return err
	}
	return l.Load(name)
}

// OfferModprobe lets the kernel ask for modules before the root is there: it runs /sbin/modprobe.
func OfferModprobe(m kernel.Files) error {
	err := m.MkdirAll("/sbin", 0o755)
	if err == nil {
		err = m.Symlink("/init", "/sbin/modprobe")
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// Names are the modules that the kernel has, of /proc/modules; a kernel without modules has no such file.
func Names(m kernel.Files) (names []string, err error) {
	text, err := m.ReadFile("/proc/modules")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, " ")
		names = append(names, name)
	}
	return names, err
}
