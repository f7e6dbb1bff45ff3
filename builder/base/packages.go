package base

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/builder/base/debian"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// pool is the files of several packages of one architecture, as if all were installed.
type pool struct {
	packages map[string]*debian.Files
	tree     *tree.Tree
	owner    map[string]string // package by path
	used     map[string]bool   // packages of which something was taken
}

// newPool unpacks packages, whose .debs are at paths, into the folder spool.
func newPool(ctx context.Context, packages []debian.Package, paths []string, spool string) (*pool, error) {
	files := make([]*debian.Files, len(packages))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, p := range packages {
		group.Go(func() (err error) {
			files[i], err = debian.Unpack(ctx, p, paths[i], spool)
			return err
		})
	}
	p := &pool{packages: map[string]*debian.Files{}, tree: &tree.Tree{}, owner: map[string]string{}, used: map[string]bool{}}
	err := group.Wait()
	for i, f := range files {
		if f != nil {
			p.packages[packages[i].Name] = f
		}
	}
	if err == nil {
		err = p.merge()
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// merge puts all packages into one tree, in the order of their names.
func (p *pool) merge() error {
	for to, link := range rootLinks() {
		if !strings.Contains(to, "/") {
			p.tree.Symlink(to, link)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.packages)) {
		for _, n := range p.packages[name].Tree.Nodes() {
			old := p.tree.Get(n.Path)
			if n.Mode.IsDir() && old != nil && old.Mode.IsDir() {
				continue
			}
			if old != nil {
				return report.Errorf(report.Invalid, "packages %s and %s both have %s", p.owner[n.Path], name, n.Path)
			}
			if err := p.tree.Add(*n); err != nil {
				return report.Errorf(report.Invalid, "package %s: %w", name, err)
			}
			p.owner[n.Path] = name
		}
	}
	return nil
}

func (p *pool) close() error {
	var errs []error
	for _, f := range p.packages {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// match is the paths that s takes, sorted.
func (p *pool) match(s selection) ([]string, error) {
	files, ok := p.packages[s.pkg]
	if !ok {
		return nil, report.Errorf(report.Internal, "package %s was not fetched", s.pkg)
	}
	taken := map[string]bool{}
	for _, pattern := range s.files {
		if rest, ok := strings.CutPrefix(pattern, "!"); ok {
			maps.DeleteFunc(taken, func(at string, _ bool) bool { return matches(rest, at) })
			continue
		}
		n := len(taken)
		for _, f := range files.Tree.Nodes() {
			if !f.Mode.IsDir() && matches(pattern, f.Path) {
				taken[f.Path] = true
			}
		}
		if len(taken) == n {
			return nil, report.Errorf(report.NotFound, "package %s %s has no %s", s.pkg, files.Package.Version, pattern)
		}
	}
	return slices.Sorted(maps.Keys(taken)), nil
}

// matches tells whether the pattern of a selection takes the file at p.
func matches(pattern, p string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(p, pattern)
	}
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// take copies the nodes at paths to t, owned by root, and notes that their packages are used. Folders are made anew.
func (p *pool) take(t *tree.Tree, paths []string) error {
	for _, at := range paths {
		n := p.tree.Get(at)
		if n == nil {
			return report.Errorf(report.Internal, "no package has %s", at)
		}
		if owner := p.owner[at]; owner != "" {
			p.used[owner] = true
		}
		if err := t.Add(tree.Node{Path: at, Mode: n.Mode, Content: n.Content, Link: n.Link}); err != nil {
			return err
		}
	}
	return nil
}

// file is the content at a path of one package, which counts as used then.
func (p *pool) file(pkg, at string) (blob.Blob, error) {
	files, ok := p.packages[pkg]
	if !ok {
		return nil, report.Errorf(report.Internal, "package %s was not fetched", pkg)
	}
	real, err := files.Tree.Resolve(at)
	if err != nil {
		return nil, report.Errorf(report.NotFound, "package %s %s: %w", pkg, files.Package.Version, err)
	}
	n := files.Tree.Get(real)
	if !n.Mode.IsRegular() {
		return nil, report.Errorf(report.Invalid, "package %s: %s is not a file", pkg, at)
	}
	p.used[pkg] = true
	return n.Open(), nil
}

// epoch is the latest time of a file in the used packages.
func (p *pool) epoch() time.Time {
	var newest time.Time
	for name := range p.used {
		if t := p.packages[name].Newest; t.After(newest) {
			newest = t
		}
	}
	return newest.UTC().Truncate(time.Second)
}

// copyright is the copyright file of a package, which may be that of another from the same source.
func (p *pool) copyright(pkg string) (blob.Blob, error) {
	at := path.Join("usr/share/doc", pkg, "copyright")
	real, err := p.tree.Resolve(at)
	if err != nil {
		return nil, err
	}
	return p.tree.Get(real).Open(), nil
}

// manifest describes the used packages, and puts their copyright files into t.
func (p *pool) manifest(t *tree.Tree) ([]Package, error) {
	var all []Package
	for _, name := range slices.Sorted(maps.Keys(p.used)) {
		d := p.packages[name].Package
		m := Package{
			Name: d.Name, Version: d.Version, Arch: d.Arch, SHA256: d.Digest.Hex(), Size: d.Size,
			Source: d.Source, SourceVersion: d.SourceVersion, Copyright: path.Join("usr/share/doc", name, "copyright"),
		}
		c, err := p.copyright(name)
		if err != nil {
			return nil, report.Errorf(report.Invalid, "package %s has no copyright file: %w", name, err)
		}
		text, err := blob.ReadAll(c, 16<<20)
		if err != nil {
			return nil, fmt.Errorf("copyright of %s: %w", name, err)
		}
		m.Licenses = debian.Licenses(string(text))
		t.File(m.Copyright, 0o644, c)
		all = append(all, m)
	}
	return all, nil
}

// spoolDir is the folder for the unpacked packages of arch.
func spoolDir(work, arch string) string { return filepath.Join(work, "packages-"+arch) }
