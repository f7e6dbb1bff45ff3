package volumes

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
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
		if err := r.mountVolume(ctx, v); err != nil {
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

func (r *Runner) mountVolume(ctx context.Context, v volumes.Volume) error {
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
	if err := r.M.Mount(mt); err != nil {
		return err
	}
	if v.ID == layout.Ephemeral {
		if err := r.moveVar(v.Mount); err != nil {
			return fmt.Errorf("move to %s: %w", v.Mount, err)
		}
	}
	r.mounts = append(r.mounts, bootreport.Mount{Volume: v.ID, Source: source, Target: v.Mount, Type: v.Filesystem})
	r.Log.Infof("volume %s: mounted %s on %s", v.ID, source, v.Mount)
	if v.Grow {
		r.growFilesystem(ctx, v)
	}
	return nil
}

// growFilesystem makes a mounted file system as large as what it is in. A power cut leaves it the smaller, and whole; so this
// is done at every boot, and does nothing where there is nothing to do.
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
	if err := r.copyTree(dir, staging); err != nil {
		return err
	}
	return r.M.MoveMount(staging, dir)
}

// copyTree copies a folder over another. Links and what is neither file nor folder are left where something is there.
func (r *Runner) copyTree(from, to string) error {
	entries, err := r.M.ReadDir(from)
	if err != nil {
		return err
	}
	there, err := r.M.ReadDir(to)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := path.Join(from, e.Name()), path.Join(to, e.Name())
		exists := slices.ContainsFunc(there, func(o fs.DirEntry) bool { return o.Name() == e.Name() })
		switch {
		case e.IsDir():
			if err = r.makeFolder(e, target, exists); err == nil {
				err = r.copyTree(source, target)
			}
		case e.Type().IsRegular():
			err = r.copyFile(source, target, e)
		case exists:
		case e.Type() == fs.ModeSymlink:
			var link string
			if link, err = r.M.ReadLink(source); err == nil {
				err = r.M.Symlink(link, target)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) makeFolder(e fs.DirEntry, target string, exists bool) error {
	if exists {
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	return r.M.MkdirAll(target, info.Mode().Perm())
}

func (r *Runner) copyFile(source, target string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return err
	}
	content, err := r.M.ReadFile(source)
	if err != nil {
		return err
	}
	return r.M.WriteFile(target, content, info.Mode().Perm())
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

// Unmount unmounts all volumes, the last first, and returns when what was written to them is on the disks.
func (r *Runner) Unmount() {
	for _, m := range slices.Backward(r.mounts) {
		if err := r.M.Unmount(m.Target); err != nil {
			r.Log.Warnf("volume %s: %v", m.Volume, err)
		}
	}
	r.mounts = nil
}
