package pid1

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// loadRootModules loads what mounts the root image, from the initramfs.
func (b *boot) loadRootModules() error {
	fault := b.offerModprobe()
	dir := modules.Dir(b.release())
	if err := b.modules.Use(dir); err != nil {
		return errors.Join(fault, fmt.Errorf("%w (the initramfs has modules for %s)", err, b.releases(path.Dir(dir))))
	}
	return errors.Join(fault, b.modules.Load("loop", "squashfs", "overlay"))
}

// releases are the kernels that dir has modules for.
func (b *boot) releases(dir string) string {
	entries, err := b.m.ReadDir(dir)
	if err != nil {
		return "none that can be listed: " + err.Error()
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if names == nil {
		return "no kernel"
	}
	return strings.Join(names, ", ")
}

// newRoot is the machine's root, of which parts may be missing.
func (b *boot) newRoot() rootfs.Root {
	return rootfs.Root{
		M:   b.m,
		Say: func(format string, args ...any) { b.say().Infof(format, args...) },
		Missing: func(number int, err error) {
			b.fault("extensions", err, false)
			b.change(func(r *bootreport.Report) { r.Extensions[number].Error = err.Error() })
			b.say().Warnf("%v", err)
		},
	}
}

// readExtensions reads which system extensions the initramfs holds.
func (b *boot) readExtensions() error {
	found, err := b.root.ReadExtensions()
	b.change(func(r *bootreport.Report) { r.Extensions = found })
	return err
}

// mountRoot mounts the base's image, and over it those of system extensions.
func (b *boot) mountRoot() error {
	err := b.root.Mount()
	b.change(func(r *bootreport.Report) { r.Root = b.root.Report() })
	return err
}
