package compose

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// addFinding is about the file p of source number i.
func (c *composer) addFinding(s report.Severity, i int, p, hint, format string, args ...any) {
	file := strings.TrimRight(c.sources[i].Name, "/") + "/" + p
	c.findings = append(c.findings, report.Finding{Severity: s, File: file, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// add is about the file p of the root file system of source number i.
func (c *composer) add(s report.Severity, i int, p, hint, format string, args ...any) {
	c.addFinding(s, i, path.Join(extensions.RootFolder, p), hint, format, args...)
}

// fault is a fault of that file.
func (c *composer) fault(i int, p, format string, args ...any) {
	c.add(report.Fault, i, p, "", format, args...)
}

// addError keeps the findings of err, or makes one of it.
func (c *composer) addError(err error) {
	found, ok := errors.AsType[report.Findings](err)
	if !ok {
		found = report.Findings{{Severity: report.Fault, Message: err.Error()}}
	}
	c.findings = append(c.findings, found...)
}

// claim takes n's path for source number i, and says what else is there.
func (c *composer) claim(i int, n *tree.Node) {
	if isIndex(n.Path) {
		return
	}
	c.shadows(i, n)
	if o, taken := c.owners[n.Path]; taken && o.source != i {
		c.collides(i, n, o)
	}
	c.owners[n.Path] = owner{i, n}
	if release, ok := strings.CutPrefix(n.Path, path.Join(modulesFolder, c.Release)+"/"); ok && n.Mode.IsRegular() && kmod.IsModule(release) {
		c.claimModule(i, n)
	}
}

// shadows says what of the base n is laid over.
func (c *composer) shadows(i int, n *tree.Node) {
	old := c.Root.Get(n.Path)
	switch {
	case old == nil || old.Mode.IsDir() && n.Mode.IsDir():
	case old.Mode.IsDir():
		c.fault(i, n.Path, "hides a folder of the base")
	case n.Mode.IsDir():
		c.fault(i, n.Path, "is a folder, and hides a file of the base")
	case !c.same(i, old, n):
		c.add(report.Warning, i, n.Path, "", "replaces the base's")
	}
}

// collides says that n is at the same path as o of an earlier source.
func (c *composer) collides(i int, n *tree.Node, o owner) {
	first := c.sources[o.source].Name
	switch {
	case n.Mode.IsDir() && o.node.Mode.IsDir():
	case n.Mode.IsDir() || o.node.Mode.IsDir():
		c.fault(i, n.Path, "is a folder in one of this extension and %s, and none in the other", first)
	case !c.mayReplace(n.Path) && !c.same(i, o.node, n):
		c.add(report.Fault, i, n.Path, "leave one out, or let the later one replace it: input.extensionRules.mayReplace", "is in %s too, with other content", first)
	}
}

// claimModule takes the name of the module n for source number i: the kernel knows modules by name, wherever they lie.
func (c *composer) claimModule(i int, n *tree.Node) {
	name := kmod.Name(n.Path)
	o, taken := c.modules[name]
	switch {
	case !taken:
		if old, _ := c.Modules.Lookup(name); len(old) == 1 && old[0].Name == name && c.modulePath(old[0]) != n.Path {
			c.add(report.Warning, i, n.Path, "", "replaces the base's module at /%s", c.modulePath(old[0]))
		}
	case o.node.Path == n.Path: // has been compared
	case o.source == i:
		c.fault(i, n.Path, "is a module of the same name as /%s", o.node.Path)
	case !c.mayReplace(n.Path) && !c.same(i, o.node, n):
		c.fault(i, n.Path, "is a module of the same name as /%s of %s", o.node.Path, c.sources[o.source].Name)
	}
	c.modules[name] = owner{i, n}
}

func (c *composer) modulePath(m *kmod.Module) string {
	return path.Join(modulesFolder, c.Release, m.Path)
}

// mayReplace tells whether a pattern matches the path p or a folder above it.
func (c *composer) mayReplace(p string) bool {
	return slices.ContainsFunc(c.MayReplace, func(pattern string) bool {
		for at := "/" + p; at != "/"; at = path.Dir(at) {
			if ok, err := path.Match(pattern, at); ok && err == nil {
				return true
			}
		}
		return false
	})
}

// same is equal where what cannot be read is a fault of source number i.
func (c *composer) same(i int, a, b *tree.Node) bool {
	eq, err := equal(a, b)
	if err != nil {
		c.fault(i, b.Path, "cannot be compared: %v", err)
		return true
	}
	return eq
}

// equal tells whether a machine sees no difference between two nodes but their times; a may be nil.
func equal(a, b *tree.Node) (bool, error) {
	if a == nil || a.Mode != b.Mode || a.Link != b.Link || a.Size() != b.Size() {
		return false, nil
	}
	at, err := blob.Equal(context.Background(), a.Open(), b.Open())
	return at < 0, err
}
