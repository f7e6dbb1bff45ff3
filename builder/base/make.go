package base

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// maker is the work of one Build.
type maker struct {
	BuildOptions
	work   string
	base   *Base
	target *debian.Pool // packages of the base
	host   *debian.Pool // packages of the tools
	kernel string
}

// fetch downloads and unpacks all packages.
func (m *maker) fetch(ctx context.Context) error {
	a, err := m.archive(ctx, m.Arch)
	if err != nil {
		return err
	}
	defer func() { a.Close() }()
	packages, paths, err := m.fetchTarget(ctx, a)
	if err != nil {
		return err
	}
	if runtime.GOARCH != m.Arch {
		a.Close()
		if a, err = m.archive(ctx, runtime.GOARCH); err != nil {
			return err
		}
	}
	tools, toolPaths, err := m.fetchTools(ctx, a)
	if err != nil {
		return err
	}
	step := m.Progress.Step("unpack packages", 0)
	if m.target, err = m.unpack(ctx, m.Arch, packages, paths); err == nil {
		m.host, err = m.unpack(ctx, "tools", tools, toolPaths)
	}
	step.Done(err)
	return err
}

func (m *maker) unpack(ctx context.Context, name string, packages []debian.Package, paths []string) (*debian.Pool, error) {
	spool := filepath.Join(m.work, "packages-"+name)
	if err := os.Mkdir(spool, 0o755); err != nil {
		return nil, err
	}
	p, err := debian.NewPool(ctx, packages, paths, spool)
	if err == nil {
		m.base.closers = append(m.base.closers, p.Close)
	}
	return p, err
}

func (m *maker) archive(ctx context.Context, arch string) (*debian.Archive, error) {
	return debian.Open(ctx, debian.Options{Arch: arch, Cache: m.Cache, Sources: m.Sources, Offline: m.Offline, Progress: m.Progress})
}

// fetchTarget downloads the packages of the base's architecture.
func (m *maker) fetchTarget(ctx context.Context, a *debian.Archive) ([]debian.Package, []string, error) {
	meta := kernelMeta(m.Flavour, m.Arch)
	found, err := a.Find(ctx, meta)
	if err != nil {
		return nil, nil, err
	}
	i := slices.IndexFunc(found[0].Depends, func(d string) bool { return strings.HasPrefix(d, "linux-image-") })
	if i < 0 {
		return nil, nil, report.Errorf(report.Invalid, "package %s %s depends on no kernel", meta, found[0].Version)
	}
	m.kernel = found[0].Depends[i]
	var programs []string
	for _, s := range rootFiles() {
		programs = append(programs, s.pkg)
	}
	packages, err := a.Find(ctx, programs...)
	if err != nil {
		return nil, nil, err
	}
	libs, err := a.Libraries(ctx, packages)
	if err != nil {
		return nil, nil, err
	}
	others := slices.Concat([]string{m.kernel, certificates().pkg, "systemd-boot-efi", "firmware-linux-free"}, m.FirmwarePackages)
	if m.Arch == "amd64" {
		others = append(others, "grub-pc-bin", "grub-common") // the latter for its copyright file
	}
	rest, err := a.Find(ctx, others...)
	if err != nil {
		return nil, nil, err
	}
	return fetchAll(ctx, a, packages, libs, rest)
}

// fetchTools downloads the packages of the programs that make parts, for the machine's architecture.
func (m *maker) fetchTools(ctx context.Context, a *debian.Archive) ([]debian.Package, []string, error) {
	packages, err := a.Find(ctx, toolPackages(m.Arch)...)
	if err != nil {
		return nil, nil, err
	}
	libs, err := a.Libraries(ctx, packages)
	if err != nil {
		return nil, nil, err
	}
	return fetchAll(ctx, a, packages, libs)
}

// fetchAll downloads each package of groups once.
func fetchAll(ctx context.Context, a *debian.Archive, groups ...[]debian.Package) ([]debian.Package, []string, error) {
	all := slices.Concat(groups...)
	slices.SortFunc(all, func(a, b debian.Package) int { return strings.Compare(a.Name, b.Name) })
	all = slices.CompactFunc(all, func(a, b debian.Package) bool { return a.Name == b.Name })
	paths, err := a.Fetch(ctx, all)
	return all, paths, err
}

// make makes the parts and the manifest.
func (m *maker) make(ctx context.Context) error {
	tools, err := m.tools()
	if err != nil {
		return err
	}
	k, err := newKernel(m.target, m.kernel, m.Arch)
	if err != nil {
		return err
	}
	parts, err := efi(m.target, m.Arch)
	if err != nil {
		return err
	}
	if m.Arch == "amd64" {
		images, err := grub(ctx, tools, m.target, m.work)
		if err != nil {
			return err
		}
		maps.Copy(parts, images)
	}
	parts[Kernel] = k.image
	if parts[Early], err = k.early(m.target); err != nil {
		return err
	}
	root, err := m.root(k)
	if err != nil {
		return err
	}
	image := filepath.Join(m.work, Root)
	if err := squashfs(ctx, tools, root, time.Unix(m.base.Manifest.Epoch, 0).UTC(), m.level, image, m.Progress); err != nil {
		return err
	}
	file, err := blob.OpenFile(image)
	if err != nil {
		return err
	}
	m.base.closers = append(m.base.closers, file.Close)
	parts[Root] = file
	return m.addParts(ctx, parts)
}

func (m *maker) tools() (*tools, error) {
	programs := []string{mksquashfs}
	if m.Arch == "amd64" {
		programs = append(programs, grubMkimage)
	}
	for _, name := range toolPackages(m.Arch) {
		f, err := m.host.Files(name)
		if err != nil {
			return nil, err
		}
		m.base.Manifest.Tools = append(m.base.Manifest.Tools, Tool{name, f.Package.Version})
	}
	dir := filepath.Join(m.work, "tools")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	return newTools(m.host, dir, programs)
}

// root is the root file system. It fills in the manifest, which the root names in its os-release.
func (m *maker) root(k *kernel) (*tree.Tree, error) {
	t, err := newRoot(m.target)
	if err != nil {
		return nil, err
	}
	manifest := &m.base.Manifest
	modules, out, err := k.modules(func(p string) int64 { return m.target.Tree.Get(path.Join(k.dir, p)).Size() })
	if err != nil {
		return nil, err
	}
	manifest.KernelVersion, manifest.Modules, manifest.LeftOut = k.release, len(modules), out
	if err := k.addModules(m.target, t, modules, "modules.builtin", "modules.builtin.modinfo", "modules.order"); err != nil {
		return nil, err
	}
	config, err := m.target.File(k.pkg, "boot/config-"+k.release)
	if err != nil {
		return nil, err
	}
	t.File(path.Join(k.dir, "config"), 0o644, config)
	files := firmware(m.target, modules)
	if err := m.target.Take(t, files); err != nil {
		return nil, err
	}
	for _, at := range files {
		manifest.Firmware = append(manifest.Firmware, strings.TrimPrefix(at, "usr/lib/firmware/"))
	}
	if manifest.Packages, err = m.packages(t); err != nil {
		return nil, err
	}
	if err := m.name(); err != nil {
		return nil, err
	}
	t.File("etc/os-release", 0o644, blob.String(manifest.OSRelease()))
	return t, audit(t)
}

// packages describes the packages of which something is in the base, and puts their copyright files into t.
func (m *maker) packages(t *tree.Tree) ([]Package, error) {
	var all []Package
	for _, d := range m.target.Used() {
		at, content, err := m.target.Copyright(d.Name)
		if err != nil {
			return nil, err
		}
		text, err := blob.ReadAll(content, maxText)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", at, err)
		}
		t.File(at, 0o644, content)
		all = append(all, Package{
			Name: d.Name, Version: d.Version, Arch: d.Arch, SHA256: d.Digest.Hex(), Size: d.Size,
			Source: d.Source, SourceVersion: d.SourceVersion, Licenses: debian.Licenses(string(text)), Copyright: at,
		})
	}
	return all, nil
}

// name fills in what the manifest says of the base as a whole.
func (m *maker) name() error {
	b, err := m.target.File("base-files", "etc/debian_version")
	if err != nil {
		return err
	}
	version, err := blob.ReadAll(b, maxText)
	if err != nil {
		return fmt.Errorf("etc/debian_version: %w", err)
	}
	epoch := m.target.Newest()
	manifest := &m.base.Manifest
	manifest.Name = "debian-" + m.Flavour
	manifest.Version = strings.ReplaceAll(strings.TrimSpace(string(version)), "/", "-") + "-" + epoch.Format("20060102")
	manifest.Epoch = epoch.Unix()
	return nil
}

// addParts enters the parts into the manifest, in the order of their titles.
func (m *maker) addParts(ctx context.Context, parts map[string]blob.Blob) error {
	m.base.parts = parts
	for _, title := range slices.Sorted(maps.Keys(parts)) {
		digest, err := blob.Sum(ctx, parts[title])
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		m.base.Manifest.Parts = append(m.base.Manifest.Parts, Part{title, parts[title].Size(), digest, PartMediaType})
	}
	return nil
}
