package debian

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Pool is the files of several packages, as if all were installed. It keeps account of which packages are made use of.
type Pool struct {
	Tree     *tree.Tree // all files, with the links of a merged /usr
	packages map[string]*Files
	owner    map[string]string // package by path
	used     map[string]bool
}

// NewPool unpacks packages, whose .debs are at paths, into the folder spool. The caller closes the Pool, and removes
// spool after that.
func NewPool(ctx context.Context, packages []Package, paths []string, spool string) (*Pool, error) {
	files := make([]*Files, len(packages))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, p := range packages {
		group.Go(func() (err error) {
			files[i], err = Unpack(groupCtx, p, paths[i], spool)
			return err
		})
	}
	p := &Pool{Tree: &tree.Tree{}, packages: map[string]*Files{}, owner: map[string]string{}, used: map[string]bool{}}
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
		p.Close()
		return nil, err
	}
	return p, nil
}

// merge puts all packages into one tree, in the order of their names.
func (p *Pool) merge() error {
	for _, at := range []string{"bin", "lib", "lib64", "sbin"} {
		p.Tree.Symlink(at, "usr/"+at)
	}
	for _, name := range slices.Sorted(maps.Keys(p.packages)) {
		for _, n := range p.packages[name].Tree.Nodes() {
			old := p.Tree.Get(n.Path)
			if old != nil && old.Mode.IsDir() && n.Mode.IsDir() {
				continue
			}
			if old != nil {
				return report.Errorf(report.Invalid, "packages %s and %s both have %s", p.owner[n.Path], name, n.Path)
			}
			if err := p.Tree.Add(*n); err != nil {
				return report.Errorf(report.Invalid, "package %s: %w", name, err)
			}
			p.owner[n.Path] = name
		}
	}
	return nil
}

// Close releases the contents of all files.
func (p *Pool) Close() error {
	var errs []error
	for _, f := range p.packages {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Files are the package called name, which must be in the pool.
func (p *Pool) Files(name string) (*Files, error) {
	f, ok := p.packages[name]
	if !ok {
		return nil, report.Errorf(report.Internal, "package %s was not fetched", name)
	}
	return f, nil
}

// Match is the sorted paths of a package's files that patterns select, one after another: "*" in a pattern is any text
// within one element of a path, a trailing "/" takes all below, a leading "!" takes away what was selected. A pattern that
// selects nothing is an error.
func (p *Pool) Match(name string, patterns ...string) ([]string, error) {
	files, err := p.Files(name)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, pattern := range patterns {
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
			return nil, report.Errorf(report.NotFound, "package %s %s has no %s", name, files.Package.Version, pattern)
		}
	}
	return slices.Sorted(maps.Keys(taken)), nil
}

func matches(pattern, p string) bool {
	if strings.HasSuffix(pattern, "/") {
		return strings.HasPrefix(p, pattern)
	}
	ok, err := path.Match(pattern, p)
	return ok && err == nil
}

// Take copies the files and links at paths to t, as root's and without a time, and counts their packages as used.
func (p *Pool) Take(t *tree.Tree, paths []string) error {
	for _, at := range paths {
		n := p.Tree.Get(at)
		if n == nil {
			return report.Errorf(report.NotFound, "no package has %s", at)
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

// File is the content at a path of one package, which counts as used then.
func (p *Pool) File(name, at string) (blob.Blob, error) {
	files, err := p.Files(name)
	if err != nil {
		return nil, err
	}
	real, err := files.Tree.Resolve(at)
	if err != nil {
		return nil, report.Errorf(report.NotFound, "package %s %s: %w", name, files.Package.Version, err)
	}
	n := files.Tree.Get(real)
	if !n.Mode.IsRegular() {
		return nil, report.Errorf(report.Invalid, "package %s: %s is not a file", name, at)
	}
	p.used[name] = true
	return n.Open(), nil
}

// Used are the packages that something was taken from, by name.
func (p *Pool) Used() []Package {
	var all []Package
	for _, name := range slices.Sorted(maps.Keys(p.used)) {
		all = append(all, p.packages[name].Package)
	}
	return all
}

// Newest is the latest time of a file in the used packages, in whole seconds.
func (p *Pool) Newest() time.Time {
	var newest time.Time
	for name := range p.used {
		if t := p.packages[name].Newest; t.After(newest) {
			newest = t
		}
	}
	return newest.UTC().Truncate(time.Second)
}

// Copyright is the path of a package's copyright file, and its content, which may be that of another package from the
// same source.
func (p *Pool) Copyright(name string) (string, blob.Blob, error) {
	at := path.Join("usr/share/doc", name, "copyright")
	real, err := p.Tree.Resolve(at)
	if err != nil {
		return at, nil, report.Errorf(report.Invalid, "package %s has no copyright file: %w", name, err)
	}
	return at, p.Tree.Get(real).Open(), nil
}
