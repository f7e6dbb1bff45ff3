package extensions

import (
	debugelf "debug/elf"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/machine/extservice"
)

// world is a root file system in which programs run: the machine's, or that of a container.
type world struct {
	folder  string              // in the extension's root: "." for the machine
	view    *tree.Tree          // what is known to be there
	whole   bool                // there is nothing else
	cache   map[string][]string // where the linker finds libraries, where that is not what ld.so.conf says
	objects map[string]bool     // whether each ELF file is a program, not a library, by its path below folder
}

// programs checks every ELF file: that it is for this machine, and that what it is linked to is there.
func (c *checker) programs() {
	worlds := map[string]*world{}
	strange := 0
	for _, n := range c.root.Nodes() {
		if _, _, module := moduleFile(n.Path); module || !n.Mode.IsRegular() || isFirmware(n.Path) {
			continue
		}
		info := c.object(n)
		if info == nil {
			continue
		}
		if _, ok := machine(c.facts.Arch); !ok {
			strange++
		}
		container, rest, ok := inContainer(n.Path)
		if !ok {
			container, rest = "", n.Path
		}
		if worlds[container] == nil {
			worlds[container] = c.world(container)
		}
		worlds[container].objects[rest] = info.Interp != "" || info.Type == debugelf.ET_EXEC
	}
	if strange > 0 {
		c.notChecked(RootFolder, "the architecture", "the machine of %d programs and libraries", strange)
	}
	for _, name := range slices.Sorted(maps.Keys(worlds)) {
		c.linked(worlds[name])
	}
}

// isFirmware tells files for devices, which may have processors of their own.
func isFirmware(p string) bool { return below(strings.TrimPrefix(p, "usr/"), "lib/firmware") }

// object is what the file n asks of the dynamic linker; nil if it is none that this machine could link.
func (c *checker) object(n *tree.Node) *elf.Info {
	head := make([]byte, min(n.Size(), int64(len(elf.Magic))))
	if err := blob.ReadFull(n.Open(), head, 0); err != nil {
		c.fault(n.Path, "", "cannot be read: %v", err)
		return nil
	}
	if string(head) != elf.Magic {
		return nil
	}
	info, err := elf.Needed(n.Open())
	want, known := machine(c.facts.Arch)
	switch {
	case err != nil && n.Mode.Perm()&0o111 != 0:
		c.fault(n.Path, "", "%v", err)
		return nil
	case err != nil:
		c.warn(n.Path, "", "%v", err)
		return nil
	case info.Type != debugelf.ET_EXEC && info.Type != debugelf.ET_DYN:
		return nil // objects to be linked by a compiler, or loaded by what knows them, as BPF programs are
	case known && want == debugelf.EM_X86_64 && info.Machine == debugelf.EM_386:
		c.warn(n.Path, "", "is a 32-bit program, which not every amd64 kernel runs")
	case known && info.Machine != want:
		c.fault(n.Path, "", "is for %s, and the base for %s", info.Machine, c.facts.Arch)
		return nil
	}
	return &info
}

// world is the root file system of a container, or with "" that of the machine.
func (c *checker) world(container string) *world {
	if container != "" {
		folder := path.Join(extservice.RootFolder, container)
		return &world{folder: folder, view: sub(c.root, folder), whole: !c.mounted[container], objects: map[string]bool{}}
	}
	w := &world{folder: ".", whole: c.facts.Root != nil, objects: map[string]bool{}}
	var layers []*tree.Tree
	for _, t := range c.facts.Earlier {
		layers = append(layers, Root(t))
	}
	layers = append(layers, c.root)
	libraries, err := Libraries(c.facts.Root, layers...)
	if err != nil {
		c.fault(".", "", "%v", err)
	}
	w.cache = byName(libraries)
	if w.whole {
		layers = append([]*tree.Tree{c.facts.Root}, layers...)
	}
	w.view = Overlay(layers...)
	return w
}

// linked reports what the objects of w are linked to and is missing there. A program without it does not start; a
// library may be loaded by one that has it already.
func (c *checker) linked(w *world) {
	origins := map[string]string{} // path below w.folder by path in w.view, which may have taken a link
	var roots []string
	for _, p := range slices.Sorted(maps.Keys(w.objects)) {
		if at, err := w.view.Resolve(p); err == nil {
			origins[at] = p
			roots = append(roots, at)
		}
	}
	_, err := elf.Closure(w.view, roots, elf.Options{Cache: w.cache})
	missing, ok := errors.AsType[*elf.MissingError](err)
	if !ok {
		if err != nil {
			c.fault(w.folder, "", "%v", err)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(missing.By)) {
		c.missing(w, name, missing, origins)
	}
}

func (c *checker) missing(w *world, name string, e *elf.MissingError, origins map[string]string) {
	why := ""
	if e.Passed[name] != "" {
		why = " (" + e.Passed[name] + ")"
	}
	for _, by := range e.By[name] {
		p, ours := origins[by]
		file := path.Join(w.folder, p)
		switch {
		case !ours:
		case !w.whole && w.folder == ".":
			c.notChecked(path.Join(RootFolder, file), "the base's root file system", "that there is %s, which it is linked to%s", name, why)
		case !w.whole:
			c.warn(file, "", "is linked to %s, which its container has only if it is mounted there%s", name, why)
		case w.objects[p]:
			c.fault(file, "add the library, or link the program statically", "is linked to %s, which is not there%s", name, why)
		default:
			c.warn(file, "", "is linked to %s, which is not there%s", name, why)
		}
	}
}
