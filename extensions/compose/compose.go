// Package compose lays system extensions over a base: it decides where each of their files goes and what is made anew
// because of them, without reading more than it compares. docs/extensions.md, "Composing", is the same for people.
//
// Every extension becomes one layer, whose files depend on that extension and on the base, and not on other extensions: a
// layer can be kept by its digest. What depends on all of them together is a layer of its own on top, and two archives for
// the time before there are layers.
//
// Left out: checking extensions (package extensions does), images of layers (package builder makes them).
package compose

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// Source is an extension without faults.
type Source struct {
	Name string     // in findings: its folder or reference
	Tree *tree.Tree // manifest.yaml and rootfs
}

// Target is what extensions are laid over.
type Target struct {
	Root       *tree.Tree  // the base's root file system
	Modules    *kmod.Index // its kernel modules
	Release    string      // of the kernel, as uname -r prints it
	Arch       string      // as Go names it
	MayReplace []string    // files that a later extension may replace: paths from the root, patterns as path.Match has them
}

// Composition is extensions laid over a base.
type Composition struct {
	Layers []Layer    // the lowest first, as the sources were
	Shared *tree.Tree // the layer on top of all: the index of all kernel modules, the cache of the linker; nil for none

	// Microcode is for the first archive of the initramfs, which the kernel looks into before it unpacks anything
	// (Documentation/arch/x86/microcode.rst): kernel/x86/microcode. Nil for none.
	Microcode *tree.Tree
	// Early is the firmware that what is built into the kernel may ask for before there are layers, for the initramfs: lib/firmware.
	Early *tree.Tree
}

// Layer is one extension.
type Layer struct {
	Metadata extlayers.Metadata
	Tree     *tree.Tree // of what is laid over the base; all of root's
	Brings   Contribution
}

// Contribution is what an extension brings.
type Contribution struct {
	Files     int      `json:"files" yaml:"files"`                             // and symbolic links
	Bytes     int64    `json:"bytes" yaml:"bytes"`                             // of their contents
	Modules   []string `json:"modules,omitempty" yaml:"modules,omitempty"`     // names of kernel modules
	Firmware  int      `json:"firmware,omitempty" yaml:"firmware,omitempty"`   // how many files
	Microcode []string `json:"microcode,omitempty" yaml:"microcode,omitempty"` // names of files
	Services  []string `json:"services,omitempty" yaml:"services,omitempty"`   // names
}

// composer is a composition that is being made.
type composer struct {
	Target
	sources  []Source
	out      Composition
	names    map[string]int   // sources by the names of their manifests
	owners   map[string]owner // what is at each path of all extensions, folders included
	modules  map[string]owner // kernel modules by name
	ucode    tree.Tree        // processor microcode, where extensions have it
	findings report.Findings
}

// owner is a node of source number source.
type owner struct {
	source int
	node   *tree.Node
}

// Compose lays sources over target, the first the lowest. With a fault among the findings there is no composition; warnings
// are about what replaces something of the base.
func Compose(sources []Source, target Target) (*Composition, report.Findings) {
	c := &composer{Target: target, sources: sources, names: map[string]int{}, owners: map[string]owner{}, modules: map[string]owner{}}
	for i, s := range sources {
		c.layer(i, s)
	}
	c.microcode()
	if c.findings.Err() != nil {
		return nil, c.findings
	}
	c.early()
	if err := c.shared(); err != nil {
		c.addError(err)
		return nil, c.findings
	}
	return &c.out, c.findings
}

// layer adds source number i.
func (c *composer) layer(i int, s Source) {
	sum, err := extensions.Summarize(s.Name, s.Tree)
	if err != nil {
		c.addError(err)
		return
	}
	name := sum.Manifest.Metadata.Name
	if first, twice := c.names[name]; twice {
		c.addFinding(report.Fault, i, extensions.ManifestFile, "leave one out", "is the extension %s, as %s is", name, c.sources[first].Name)
	}
	c.names[name] = i
	placed := c.place(i, extensions.Root(s.Tree))
	for _, n := range placed.Nodes() {
		c.claim(i, n)
	}
	l := Layer{Metadata: sum.Manifest.Metadata, Tree: &tree.Tree{}}
	l.Brings = Contribution{Files: sum.Files, Bytes: sum.Bytes, Firmware: len(sum.Firmware)}
	for _, m := range sum.Modules {
		l.Brings.Modules = append(l.Brings.Modules, m.Name)
	}
	for _, v := range sum.Services {
		l.Brings.Services = append(l.Brings.Services, v.Name)
	}
	for _, n := range placed.Nodes() {
		switch {
		case c.isMicrocode(n):
			mustAdd(&c.ucode, *n)
			l.Brings.Microcode = append(l.Brings.Microcode, n.Name())
			l.Brings.Firmware--
		case !isIndex(n.Path):
			mustAdd(l.Tree, *n)
		}
	}
	c.out.Layers = append(c.out.Layers, l)
}

// place is root with every file where the base has the folder for it: a base whose /lib is a link to usr/lib gets
// /lib/modules as /usr/lib/modules, because a folder /lib in a layer would hide the link. Folders that the base has keep its
// modes, owners are root, and what else of a file a layer does not keep is dropped.
func (c *composer) place(i int, root *tree.Tree) *tree.Tree {
	out := &tree.Tree{}
	moved := map[string]string{".": "."}
	for _, n := range root.Nodes() {
		m := tree.Node{Mode: n.Mode, ModTime: inRange(n.ModTime), Content: n.Content, Link: n.Link}
		m.Path = path.Join(moved[path.Dir(n.Path)], path.Base(n.Path))
		if n.Mode.IsDir() {
			if to, err := c.Root.Resolve(m.Path); err == nil && c.Root.Get(to).Mode.IsDir() {
				m.Path, m.Mode = to, c.Root.Get(to).Mode
			}
			moved[n.Path] = m.Path
		}
		if n.Path == "." || n.Mode.IsDir() && out.Get(m.Path) != nil && out.Get(m.Path).Mode.IsDir() {
			continue
		}
		if twin := out.Get(m.Path); twin != nil && !c.same(i, twin, &m) {
			c.fault(i, n.Path, "is there twice: on the machine, /%s is /%s", n.Path, m.Path)
			continue
		}
		if err := out.Add(m); err != nil {
			c.fault(i, n.Path, "%v", err)
		}
	}
	return out
}

// inRange is t in whole seconds, or zero where a squashfs image could not hold it.
func inRange(t time.Time) time.Time {
	if s := t.Unix(); s > 0 && s < 1<<32 {
		return time.Unix(s, 0).UTC()
	}
	return time.Time{}
}

const modulesFolder = "usr/lib/modules"

// isIndex tells the files of a module index, which is made anew.
func isIndex(p string) bool {
	rest, ok := strings.CutPrefix(p, modulesFolder+"/")
	release, name, _ := strings.Cut(rest, "/")
	return ok && release != "" && strings.HasPrefix(name, "modules.") && !strings.Contains(name, "/")
}

// shared makes the layer on top.
func (c *composer) shared() error {
	top := &tree.Tree{}
	if err := c.index(top); err != nil {
		return err
	}
	if err := c.linkerCache(top); err != nil {
		return err
	}
	if top.Len() > 0 {
		c.out.Shared = top
	}
	return nil
}

// index adds the index of the base's modules and of all extensions', of whose files the base has others.
func (c *composer) index(top *tree.Tree) error {
	if len(c.modules) == 0 {
		return nil
	}
	folder := path.Join(modulesFolder, c.Release)
	var added []*kmod.Module
	for _, o := range c.modules {
		m, err := kmod.Read(strings.TrimPrefix(o.node.Path, folder+"/"), o.node.Open())
		if err != nil {
			return err
		}
		added = append(added, m)
	}
	slices.SortFunc(added, func(a, b *kmod.Module) int { return cmp.Compare(a.Path, b.Path) })
	for _, n := range c.Modules.With(added).Files().Nodes() {
		old := c.Root.Get(path.Join(folder, n.Path))
		if equal, err := equal(old, n); err != nil {
			return err
		} else if !equal {
			top.File(path.Join(folder, n.Path), n.Mode, n.Content)
		}
	}
	return nil
}

// mustAdd adds a node that came from a tree: its path is clean.
func mustAdd(t *tree.Tree, n tree.Node) {
	if err := t.Add(n); err != nil {
		panic("compose: " + err.Error())
	}
}
