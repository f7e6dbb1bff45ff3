package pid1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/modules"
	"github.com/bootwright/bootwright/machine/bootreport"
)

const (
	newRoot = "/newroot"                 // where the root is mounted until init switches to it
	state   = "/run/bootwright"          // what init keeps in memory
	layers  = state + "/layers"          // images, where the root is made of several
	initSrc = "/init"                    // this program in the initramfs
	initDst = newRoot + "/usr/sbin/init" // its place in the root
)

// imageFlags are those of a root, which holds neither devices nor programs that give privileges.
const imageFlags = kernel.ReadOnly | kernel.NoDev | kernel.NoSUID

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

// baseImage is the base's root image in the initramfs.
const baseImage = "/rootfs.sqsh"

// mountRoot mounts the root image, and over it the images of system extensions.
func (b *boot) mountRoot() error {
	b.report.Root = bootreport.Root{Image: baseImage}
	if len(b.layers) == 0 {
		return b.mountImage(baseImage, newRoot)
	}
	base := path.Join(layers, layerName(baseImage))
	if err := b.mountImage(baseImage, base); err != nil {
		return err
	}
	over := b.mountExtensions()
	if len(over) == 0 { // an overlay of one is refused
		if err := b.m.MkdirAll(newRoot, 0o755); err != nil {
			return err
		}
		return b.m.MoveMount(base, newRoot)
	}
	return b.m.Mount(kernel.Mount{
		Type: "overlay", Target: newRoot, Flags: imageFlags, Data: "lowerdir=" + strings.Join(append(over, base), ":"),
	})
}

func (b *boot) mountImage(image, dir string) error {
	size, err := b.checkImage(image)
	if err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	device, err := b.m.AttachLoop(image)
	if err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	if err := b.m.Mount(kernel.Mount{Source: device, Target: dir, Type: "squashfs", Flags: imageFlags}); err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	b.say().Infof("mounted %s, %d MiB", image, size>>20)
	b.report.Root.Size += size
	b.report.Root.Layers = append(b.report.Root.Layers, layerName(image))
	return nil
}

// checkImage is the size of an image; it tells a file that is no squashfs, or a truncated one, from what the kernel merely
// calls an invalid argument.
func (b *boot) checkImage(name string) (int64, error) {
	f, err := b.m.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var super [96]byte // the superblock: "hsqs" at 0, and at 40 how many bytes are used
	if _, err := io.ReadFull(f, super[:]); err != nil || string(super[:4]) != "hsqs" {
		return 0, fmt.Errorf("not a squashfs image; it starts with %q", super[:4])
	}
	if used := binary.LittleEndian.Uint64(super[40:]); used > uint64(st.Size()) {
		return 0, fmt.Errorf("truncated: it has %d bytes of %d", st.Size(), used)
	}
	return st.Size(), nil
}

// mountWritable mounts what can be written in the root, which itself cannot: all of it is in memory.
func (b *boot) mountWritable() error {
	const upper, work = state + "/etc/upper", state + "/etc/work"
	faults := []error{b.m.MkdirAll(upper, 0o755), b.m.MkdirAll(work, 0o755)}
	for _, m := range []kernel.Mount{
		{Type: "tmpfs", Target: newRoot + "/tmp", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=1777"},
		{Type: "tmpfs", Target: newRoot + "/system", Flags: restricted, Data: "mode=0755"},
		{Type: "tmpfs", Target: newRoot + "/var", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=0755"},
		{
			Type: "overlay", Target: newRoot + "/etc", Flags: kernel.NoSUID | kernel.NoDev,
			Data: "lowerdir=" + newRoot + "/etc,upperdir=" + upper + ",workdir=" + work,
		},
		{Source: initSrc, Target: initDst},
	} {
		faults = append(faults, b.m.Mount(m))
	}
	for _, dir := range []string{"/var/lib", "/var/log", "/var/cache"} {
		faults = append(faults, b.m.MkdirAll(newRoot+dir, 0o755))
	}
	faults = append(faults, b.keepExtensions())
	return errors.Join(append(faults, b.m.Symlink("/run", newRoot+"/var/run"))...)
}

// switchRoot moves what the kernel has mounted into the root, and makes that the root.
func (b *boot) switchRoot() error {
	for _, m := range kernelMounts() {
		if err := b.m.MoveMount(m.Target, newRoot+m.Target); err != nil {
			return err
		}
	}
	if err := b.m.SwitchRoot(newRoot); err != nil {
		return fmt.Errorf("switch to the root: %w", err)
	}
	return nil
}
