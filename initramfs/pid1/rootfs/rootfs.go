// Package rootfs puts a machine's root file system together from the images in its initramfs: the base's, over it those of
// system extensions, and in it what can be written, all of it in memory; then it becomes the root.
package rootfs

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs/kernelfs"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/extlayers"
)

const (
	Dir       = "/newroot"               // where the root is until init switches to it
	Layers    = "/run/bootwright/layers" // images, where the root is made of several
	BaseImage = "/rootfs.sqsh"           // the base's in the initramfs
)

// imageFlags are those of a root, which holds neither devices nor programs that give privileges.
const imageFlags = kernel.ReadOnly | kernel.NoDev | kernel.NoSUID

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Mounts
}

// Root is the root of a machine.
type Root struct {
	M          Machine
	Say        func(format string, args ...any)
	Extensions []extlayers.Layer // as ReadExtensions found them

	// Missing is told of the extension of that number that is left out, and why.
	Missing func(number int, err error)

	report bootreport.Root
}

// Report is what the root is made of.
func (r *Root) Report() bootreport.Root { return r.report }

// Mount mounts the base's image, and over it those of the extensions.
func (r *Root) Mount() error {
	r.report = bootreport.Root{Image: BaseImage}
	if len(r.Extensions) == 0 {
		return r.mountImage(BaseImage, Dir)
	}
	base := path.Join(Layers, LayerName(BaseImage))
	if err := r.mountImage(BaseImage, base); err != nil {
		return err
	}
	over := r.mountExtensions()
	if len(over) == 0 { // an overlay of one is refused
		if err := r.M.MkdirAll(Dir, 0o755); err != nil {
			return err
		}
		return r.M.MoveMount(base, Dir)
	}
	return r.M.Mount(kernel.Mount{
		Type: "overlay", Target: Dir, Flags: imageFlags, Data: "lowerdir=" + strings.Join(append(over, base), ":"),
	})
}

func (r *Root) mountImage(image, dir string) error {
	size, err := r.checkImage(image)
	if err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	device, err := r.M.AttachLoop(image)
	if err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	if err := r.M.Mount(kernel.Mount{Source: device, Target: dir, Type: "squashfs", Flags: imageFlags}); err != nil {
		return fmt.Errorf("root image %s: %w", image, err)
	}
	r.Say("mounted %s, %d MiB", image, size>>20)
	r.report.Size += size
	r.report.Layers = append(r.report.Layers, LayerName(image))
	return nil
}

// checkImage is the size of an image; it tells a file that is no squashfs, or a truncated one, from what the kernel merely
// calls an invalid argument.
func (r *Root) checkImage(name string) (int64, error) {
	f, err := r.M.Open(name)
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

// MountWritable mounts what can be written in the root, which itself cannot.
func (r *Root) MountWritable() error {
	const upper, work = "/run/bootwright/etc/upper", "/run/bootwright/etc/work"
	faults := []error{r.M.MkdirAll(upper, 0o755), r.M.MkdirAll(work, 0o755)}
	for _, m := range []kernel.Mount{
		{Type: "tmpfs", Target: Dir + "/tmp", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=1777"},
		{Type: "tmpfs", Target: Dir + "/system", Flags: kernelfs.Restricted, Data: "mode=0755"},
		{Type: "tmpfs", Target: Dir + "/var", Flags: kernel.NoSUID | kernel.NoDev, Data: "mode=0755"},
		{
			Type: "overlay", Target: Dir + "/etc", Flags: kernel.NoSUID | kernel.NoDev,
			Data: "lowerdir=" + Dir + "/etc,upperdir=" + upper + ",workdir=" + work,
		},
		{Source: "/init", Target: Dir + "/usr/sbin/init"}, // this program
	} {
		faults = append(faults, r.M.Mount(m))
	}
	for _, dir := range []string{"/var/lib", "/var/log", "/var/cache"} {
		faults = append(faults, r.M.MkdirAll(Dir+dir, 0o755))
	}
	faults = append(faults, r.keepExtensions())
	return errors.Join(append(faults, r.M.Symlink("/run", Dir+"/var/run"))...)
}

// Switch moves what the kernel has mounted into the root, and makes that the root.
func (r *Root) Switch() error {
	for _, m := range kernelfs.Mounts() {
		if err := r.M.MoveMount(m.Target, Dir+m.Target); err != nil {
			return err
		}
	}
	if err := r.M.SwitchRoot(Dir); err != nil {
		return fmt.Errorf("switch to the root: %w", err)
	}
	return nil
}
