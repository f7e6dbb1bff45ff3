package base

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/linux"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// kernel is what a kernel package holds.
type kernel struct {
	pkg     string
	release string    // such as 6.1.0-56-cloud-amd64
	image   blob.Blob // vmlinuz
	dir     string    // of the modules, usr/lib/modules/<release>
	index   *kmod.Index
}

// newKernel looks at the kernel package pkg and reads all its modules.
func newKernel(p *debian.Pool, pkg, arch string) (*kernel, error) {
	release := strings.TrimPrefix(pkg, "linux-image-")
	k := &kernel{pkg: pkg, release: release, dir: "usr/lib/modules/" + release}
	var err error
	if k.image, err = p.File(pkg, "boot/vmlinuz-"+release); err != nil {
		return nil, err
	}
	info, err := linux.Read(k.image)
	switch {
	case err != nil:
		return nil, fmt.Errorf("package %s: boot/vmlinuz-%s: %w", pkg, release, err)
	case info.Arch != arch || info.Release != release && info.Release != "":
		return nil, report.Errorf(report.Invalid, "package %s: the kernel is %s for %s, not %s for %s", pkg, info.Release, info.Arch, release, arch)
	}
	if k.index, err = kmod.Scan(p.Tree, k.dir); err != nil {
		return nil, fmt.Errorf("package %s: %w", pkg, err)
	}
	return k, nil
}

// modules are the modules that the base keeps, in the index's order, and the classes of those that it leaves out.
func (k *kernel) modules(size func(path string) int64) ([]*kmod.Module, []LeftOut, error) {
	classes := leftOut()
	var keep []string
	for _, m := range k.index.Modules() {
		if classOf(classes, m.Path) < 0 {
			keep = append(keep, m.Name)
		}
	}
	kept, err := k.index.Load(keep...)
	if err != nil {
		return nil, nil, err
	}
	inBase := map[string]bool{}
	for _, m := range kept {
		inBase[m.Path] = true
	}
	out := make([]LeftOut, len(classes))
	for i, c := range classes {
		out[i] = LeftOut{Class: c.name, Reason: c.reason}
	}
	for _, m := range k.index.Modules() {
		if i := classOf(classes, m.Path); !inBase[m.Path] && i >= 0 {
			out[i].Modules++
			out[i].Size += size(m.Path)
		}
	}
	return kept, slices.DeleteFunc(out, func(l LeftOut) bool { return l.Modules == 0 }), nil
}

// classOf is the index of the class that leaves out the module at p, or -1.
func classOf(classes []class, p string) int {
	p = strings.TrimPrefix(p, "kernel/")
	isPrefix := func(prefix string) bool { return strings.HasPrefix(p, prefix) }
	return slices.IndexFunc(classes, func(c class) bool {
		return slices.ContainsFunc(c.out, isPrefix) && !slices.ContainsFunc(c.keep, isPrefix)
	})
}

// addModules puts modules and their index into t, and the files called beside that the kernel's build made.
func (k *kernel) addModules(p *debian.Pool, t *tree.Tree, modules []*kmod.Module, beside ...string) error {
	var paths []string
	for _, name := range beside {
		paths = append(paths, path.Join(k.dir, name))
	}
	for _, m := range modules {
		paths = append(paths, path.Join(k.dir, m.Path))
	}
	if err := p.Take(t, paths); err != nil {
		return fmt.Errorf("package %s: %w", k.pkg, err)
	}
	index, err := kmod.Scan(t, k.dir)
	if err != nil {
		return err
	}
	for _, n := range index.Files().Nodes() {
		t.File(path.Join(k.dir, n.Path), n.Mode, n.Content)
	}
	return nil
}

// early is the archive of the modules that the init needs before it has the root file system.
func (k *kernel) early(p *debian.Pool) (blob.Blob, error) {
	modules, err := k.index.Load(earlyModules()...)
	if err != nil {
		return nil, fmt.Errorf("package %s: %w", k.pkg, err)
	}
	t := &tree.Tree{}
	if err := k.addModules(p, t, modules, "modules.builtin", "modules.builtin.modinfo"); err != nil {
		return nil, err
	}
	return cpio.Format(t, cpio.Options{})
}

// firmware are the paths in p of the files that modules ask for, and of the links on the way, sorted. Those that no
// package has are not missed: most are not free, and few machines need any.
func firmware(p *debian.Pool, modules []*kmod.Module) []string {
	const dir = "usr/lib/firmware"
	var have []string
	for _, n := range p.Tree.Nodes() {
		if strings.HasPrefix(n.Path, dir+"/") && !n.Mode.IsDir() {
			have = append(have, n.Path)
		}
	}
	slices.Sort(have)
	var paths []string
	for _, m := range modules {
		for _, name := range m.Firmware {
			for _, at := range globSorted(have, path.Join(dir, name)) {
				if way, err := p.Tree.Trace(at); err == nil {
					paths = append(paths, way...)
				}
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// globSorted are those of the sorted names that pattern matches.
func globSorted(names []string, pattern string) []string {
	if !strings.ContainsAny(pattern, "*?[") {
		if i, ok := slices.BinarySearchFunc(names, pattern, cmp.Compare); ok {
			return names[i : i+1]
		}
		return nil
	}
	var found []string
	for _, n := range names {
		if ok, err := path.Match(pattern, n); ok && err == nil {
			found = append(found, n)
		}
	}
	return found
}
