package pid1

import (
	"errors"

	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// loadRootModules loads what mounts the root image, from the initramfs.
func (b *boot) loadRootModules() error {
	fault := modules.OfferModprobe(b.m)
	if err := b.modules.Use(modules.Dir(b.release())); err != nil {
		return errors.Join(fault, err)
	}
	return errors.Join(fault, b.modules.Load("loop", "squashfs", "overlay"))
}

// newRoot is the machine's root, of which parts may be missing.
func (b *boot) newRoot() rootfs.Root {
	return rootfs.Root{
		M:   b.m,
		Say: func(format string, args ...any) { b.say().Infof(format, args...) },
		Missing: func(number int, err error) {
			b.report.Fault("extensions", err, false)
			b.report.Change(func(r *bootreport.Report) { r.Extensions[number].Error = err.Error() })
			b.say().Warnf("%v", err)
		},
	}
}

// readExtensions reads which system extensions the initramfs holds.
func (b *boot) readExtensions() error {
	found, err := b.root.ReadExtensions()
	b.report.Change(func(r *bootreport.Report) { r.Extensions = found })
	return err
}

// mountRoot mounts the base's image, and over it those of system extensions.
func (b *boot) mountRoot() error {
	err := b.root.Mount()
	b.report.Change(func(r *bootreport.Report) { r.Root = b.root.Report() })
	return err
}
