package pid1

import (
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/release"
)

func readArguments(m kernel.Files) (cmdline.Args, error) {
	line, err := m.ReadFile("/proc/cmdline")
	return cmdline.Parse(string(line)), err
}

func (b *boot) openConsole() error {
	b.say()
	return nil
}

// readArguments reads the kernel's command line, and warns of arguments that look like a mistake.
func (b *boot) readArguments() error {
	args, err := readArguments(b.m)
	b.modules = modules.NewLoader(b.m, args, func(f func()) { b.group.Go("modules", f) })
	unknown := args.Unknown()
	b.report.Change(func(r *bootreport.Report) {
		r.Platform, _ = args.Get(cmdline.Platform)
		r.Arguments, r.Unknown, r.CommandLine = args.Machine(), unknown, args.Others().String()
	})
	for _, u := range unknown {
		if u.Nearest != "" {
			b.say().Warnf("unknown kernel argument %s; is it %s?", u.Name, u.Nearest)
		} else {
			b.say().Warnf("unknown kernel argument %s", u.Name)
		}
	}
	return err
}

// readRelease reads what the image says of itself.
func (b *boot) readRelease() error {
	text, err := b.m.ReadFile("/" + release.Path)
	if err != nil {
		return err
	}
	image, err := release.Parse(text)
	b.report.Change(func(r *bootreport.Report) { r.Version, r.Epoch, r.Base = image.Version, image.Epoch.Unix(), image.Base })
	b.say().Infof("version %s, base %s, kernel %s", image.Version, image.Base, b.release())
	return err
}
