package volumes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/volumes"
)

// staging is where /var is mounted until it has what was in memory.
const staging = "/run/bootwright/var"

// mount mounts what is ready and is not mounted, and tells whether it did. Until there is a configuration that is STATE
// alone, where it may be: what else is mounted is for the configuration to say.
func (r *Runner) mount(ctx context.Context, m volumes.Machine, plan volumes.Plan) (progress bool) {
	for _, v := range plan.Volumes {
		if v.Phase != volumes.Ready || v.Mount == "" || r.faults[v.ID] != nil || r.isMounted(v.ID) || m.Config == nil && v.ID != layout.State {
			continue
		}
		if v.Wave > 0 && !r.isMounted(layout.Ephemeral) { // they are below /var
			continue
		}
		if err := r.mountVolume(ctx, m, v); err != nil {
			r.fault(v.ID, err)
			continue
		}
		progress = true
	}
	return progress
}

func (r *Runner) isMounted(id string) bool {
	return slices.ContainsFunc(r.mounts, func(m bootreport.Mount) bool { return m.Volume == id })
}

func (r *Runner) mountVolume(ctx context.Context, m volumes.Machine, v volumes.Volume) error {
	source := v.Location
	if inside := r.opened[v.ID]; inside != "" {
		source = inside
	}
	mt := kernel.Mount{Source: source, Target: v.Mount, Type: v.Filesystem, Flags: kernel.NoSUID | kernel.NoDev}
	switch v.ID {
	case layout.State:
		mt.Flags |= kernel.NoExec
	case layout.Ephemeral:
		mt.Target = staging
	}
	var fault error
	if r.Load != nil {
		fault = r.Load(v.Filesystem)
	}
	if err := r.M.Mount(mt); err != nil {
		return errors.Join(err, fault)
	}
	if v.ID == layout.Ephemeral {
		if err := r.moveVar(v.Mount); err != nil {
			return fmt.Errorf("move to %s: %w", v.Mount, err)
		}
	}
	r.mounts = append(r.mounts, bootreport.Mount{Volume: v.ID, Source: source, Target: v.Mount, Type: v.Filesystem})
	r.Log.Infof("volume %s: mounted %s on %s", v.ID, source, v.Mount)
	if inside := content(m, v); v.Grow && inside.Size-inside.ProbedSize >= gap {
		r.growFilesystem(ctx, v)
	}
	return nil
}

// gap is what XFS may leave of a device: what makes no block.
const gap = 64 << 10

// content is what is in a volume, which may be encrypted.
func content(m volumes.Machine, v volumes.Volume) blockdev.Volume {
	if inside, ok := m.Opened[v.ID]; ok {
		return inside
	}
	for _, d := range m.Volumes {
		if d.DevPath == v.Location {
			return d
		}
	}
	return blockdev.Volume{}
}

// growFilesystem makes a mounted file system as large as what it is in. A power cut leaves it the smaller, and whole; so this
// is done at every boot at which it is smaller.
func (r *Runner) growFilesystem(ctx context.Context, v volumes.Volume) {
	out, err := kernel.Output(ctx, r.M, kernel.Command{Path: growfs, Args: []string{v.Mount}})
	if err != nil {
		r.Log.Warnf("volume %s: %v", v.ID, err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "data blocks changed") {
			r.Log.Infof("volume %s: the file system has grown: %s", v.ID, strings.TrimSpace(line))
		}
	}
}

// moveVar puts into the staged volume what is in memory at dir, which is of this boot, and mounts it over dir.
func (r *Runner) moveVar(dir string) error {
	if err := r.copyTree(dir, "."); err != nil {
		return err
	}
	return r.M.MoveMount(staging, dir)
}

// copyTree copies the folder rel below dir into the staged volume. Links and what is neither file nor folder are left where something
// is there, and so is what is there in place of a folder: a link could lead anywhere.
func (r *Runner) copyTree(dir, rel string) error {
	entries, err := r.M.ReadDir(path.Join(dir, rel))
	if err != nil {
		return err
	}
	there, err := r.M.ReadDir(path.Join(staging, rel))
	if err != nil {
		return err
	}
	for _, e := range entries {
		var old fs.DirEntry
		if i := slices.IndexFunc(there, func(o fs.DirEntry) bool { return o.Name() == e.Name() }); i >= 0 {
			old = there[i]
		}
		if err := r.copyEntry(dir, path.Join(rel, e.Name()), e, old); err != nil {
			return err
		}
	}
	return nil
}

// copyEntry copies e, which is at rel below dir, over old, which may be nil.
func (r *Runner) copyEntry(dir, rel string, e, old fs.DirEntry) error {
	switch {
	case e.IsDir() && old == nil:
		info, err := e.Info()
		if err != nil {
			return err
		}
		if err := r.M.MkdirAll(path.Join(staging, rel), info.Mode().Perm()); err != nil {
			return err
		}
		return r.copyTree(dir, rel)
	case e.IsDir() && old.IsDir():
		return r.copyTree(dir, rel)
	case e.Type().IsRegular():
		return r.copyFile(dir, rel, e, old)
	case e.Type() == fs.ModeSymlink && old == nil:
		link, err := r.M.ReadLink(path.Join(dir, rel))
		if err != nil {
			return err
		}
		return r.M.Symlink(link, path.Join(staging, rel))
	}
	return nil
}

// copyFile waits until the file is on the disk: after a power cut it is the old one or the new, and what this boot has said to others, such
// as a machine ID that it made up, is that of the next. One that is the same already is not written again.
func (r *Runner) copyFile(dir, rel string, e, old fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	content, err := r.M.ReadFile(path.Join(dir, rel))
	if err != nil || r.holds(path.Join(staging, rel), content, old) {
		return err
	}
	return r.M.ReplaceFile(staging, rel, content, info.Mode().Perm())
}

// holds tells whether old, the file of that name, has the content.
func (r *Runner) holds(name string, content []byte, old fs.DirEntry) bool {
	if old == nil || !old.Type().IsRegular() {
		return false
	}
	info, err := old.Info()
	if err != nil || info.Size() != int64(len(content)) {
		return false
	}
	has, err := r.M.ReadFile(name)
	return err == nil && bytes.Equal(has, content)
}

// mountsWork finds the volumes whose file system has stopped, as it does when its disk fails, and is false if there is one.
func (r *Runner) mountsWork() bool {
	works := true
	status, _ := r.status.Get()
	for _, m := range r.mounts {
		if _, err := r.M.ReadDir(m.Target); err != nil {
			r.fault(m.Volume, fmt.Errorf("the file system of %s has stopped: %w", status.Volume(m.Volume).Location, err))
			works = false
		}
	}
	return works
}

// letGo unmounts user volumes whose partition is not there any more, since somebody has unplugged the disk. Their file systems need not
// notice, and until then the kernel does not mount them from where they come back. STATE and /var are too much in use for that.
func (r *Runner) letGo(found []blockdev.Volume) {
	r.mounts = slices.DeleteFunc(r.mounts, func(m bootreport.Mount) bool {
		there := slices.ContainsFunc(found, func(v blockdev.Volume) bool { return v.DevPath == m.Source })
		if there || m.Volume == layout.State || m.Volume == layout.Ephemeral || m.Source == r.opened[m.Volume] {
			return false
		}
		r.Log.Warnf("volume %s: %s is gone, so it is unmounted from %s", m.Volume, m.Source, m.Target)
		if err := r.M.Unmount(m.Target); err != nil {
			r.Log.Warnf("volume %s: %v", m.Volume, err)
		}
		return true
	})
}

// Unmount unmounts all volumes, the last first, and returns when what was written to them is on the disks.
func (r *Runner) Unmount() {
	for _, m := range slices.Backward(r.mounts) {
		if err := r.M.Unmount(m.Target); err != nil {
			r.Log.Warnf("volume %s: %v", m.Volume, err)
		}
	}
	r.mounts = nil
}
