package pid1

import (
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/machine/cmdline"
)

func readArguments(m kernel.Files) (cmdline.Args, error) {
	line, err := m.ReadFile("/proc/cmdline")
	return cmdline.Parse(string(line)), err
}

// isVerbose tells whether somebody wants to see everything that the kernel says.
func isVerbose(args cmdline.Args) bool {
	for _, name := range []string{"debug", "loglevel", "ignore_loglevel"} {
		if _, ok := args.Get(name); ok {
			return true
		}
	}
	return false
}

func (b *boot) openConsole() error {
	b.say()
	return nil
}

// readArguments reads the kernel's command line, and warns of arguments that look like a mistake.
func (b *boot) readArguments() error {
	args, err := readArguments(b.m)
	b.modules = modules.NewLoader(b.m, args, func(f func()) { b.group.Go("modules", f) })
	b.report.Platform, _ = args.Get(cmdline.Platform)
	b.report.Arguments, b.report.Unknown, b.report.CommandLine = args.Machine(), args.Unknown(), args.Others().String()
	for _, u := range b.report.Unknown {
		if u.Nearest != "" {
			b.say().Warnf("unknown kernel argument %s; is it %s?", u.Name, u.Nearest)
		} else {
			b.say().Warnf("unknown kernel argument %s", u.Name)
		}
	}
	return err
}

// releaseFile says what the image is.
const releaseFile = "/etc/bootwright-release"

func (b *boot) readRelease() error {
	p, err := b.m.ReadFile(releaseFile)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(p)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), "="); key {
		case "VERSION":
			b.report.Version = value
		case "EPOCH":
			b.report.Epoch, err = strconv.ParseInt(value, 10, 64)
		case "BASE":
			b.report.Base = value
		}
	}
	b.say().Infof("version %s, base %s, kernel %s", b.report.Version, b.report.Base, b.release())
	return err
}
