package extensions

import (
	"debug/elf"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
)

// machine is the processor of arch; false where that is unknown.
func machine(arch string) (elf.Machine, bool) {
	m, ok := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	return m, ok
}

// moduleFile cuts the path of a file below /lib/modules or /usr/lib/modules.
func moduleFile(p string) (release, rest string, ok bool) {
	p, ok = strings.CutPrefix(strings.TrimPrefix(p, "usr/"), "lib/modules/")
	release, rest, more := strings.Cut(p, "/")
	return release, rest, ok && more
}

// moduleNames are the names of the kernel modules in a root file system.
func moduleNames(root *tree.Tree) map[string]bool {
	names := map[string]bool{}
	for _, n := range root.Nodes() {
		if _, _, ok := moduleFile(n.Path); ok && kmod.IsModule(n.Path) {
			names[kmod.Name(n.Path)] = true
		}
	}
	return names
}

// modules checks the kernel modules: that they fit the kernel, and that nothing they need is missing.
func (c *checker) modules() {
	known := moduleNames(c.root)
	for _, t := range c.facts.Earlier {
		maps.Copy(known, moduleNames(Root(t)))
	}
	releases := map[string]bool{}
	unsure := map[string]bool{} // modules that are needed and may be in the base
	for _, n := range c.root.Nodes() {
		release, rest, ok := moduleFile(n.Path)
		switch {
		case !n.Mode.IsRegular():
		case ok && kmod.IsModule(n.Path):
			releases[release] = true
			c.module(n, release, rest, known, unsure)
		case ok && !strings.Contains(rest, "/") && strings.HasPrefix(rest, "modules."):
			c.warn(n.Path, "leave it out", "is ignored: the module index is made anew from all modules")
		case kmod.IsModule(n.Path) && !below(n.Path, "usr/local"):
			c.warn(n.Path, "put it below /usr/lib/modules/RELEASE", "the kernel does not look for modules here")
		}
	}
	if len(releases) > 1 {
		c.fault("usr/lib/modules", "one extension serves one kernel", "modules for %d kernel releases: %s", len(releases), strings.Join(slices.Sorted(maps.Keys(releases)), ", "))
	}
	if len(releases) > 0 && c.facts.Release == "" {
		c.notChecked(path.Join(RootFolder, "usr/lib/modules"), "the base's kernel release", "modules for kernel %s", strings.Join(slices.Sorted(maps.Keys(releases)), ", "))
	}
	if len(unsure) > 0 {
		c.notChecked(path.Join(RootFolder, "usr/lib/modules"), "the base's list of modules", "that it has the modules %s", strings.Join(slices.Sorted(maps.Keys(unsure)), ", "))
	}
}

// module checks the one in n, at rest below the folder of a release. What it needs and is neither known nor certain to be
// missing becomes unsure.
func (c *checker) module(n *tree.Node, release, rest string, known, unsure map[string]bool) {
	m, err := kmod.Read(rest, n.Open())
	if err != nil {
		c.fault(n.Path, "", "%v", err)
		return
	}
	if c.facts.Release != "" && release != c.facts.Release {
		c.fault(n.Path, "", "is in the folder of kernel %s, and the base's kernel is %s", release, c.facts.Release)
	}
	if m.Release() != release {
		c.fault(n.Path, "build it against that kernel's headers", "was built for kernel %q, and is in the folder of %s", m.Release(), release)
	}
	if want, ok := machine(c.facts.Arch); ok && m.Machine != want {
		c.fault(n.Path, "", "is for %s, and the base for %s", m.Machine, c.facts.Arch)
	}
	if c.opts.SignedModules && !m.Signed {
		c.fault(n.Path, "sign it with a key that the kernel trusts", "is not signed, and the base's kernel takes signed modules only")
	}
	for _, need := range m.Depends {
		need = kmod.Name(need)
		switch {
		case known[need]:
		case c.facts.Modules == nil:
			unsure[need] = true
		default:
			if _, ok := c.facts.Modules.Lookup(need); !ok {
				c.fault(n.Path, "", "needs the module %s, which neither the base nor an extension has", need)
			}
		}
	}
}
