package extensions

import (
	debugelf "debug/elf"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/ldcache"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/machine/extservice"
)

// Libraries are the shared libraries of 64 bits that /etc/ld.so.cache has to list of a machine with the root file systems
// of extensions over the base's, the lowest first: what the linker takes for a name is the first of that name. Nil where no
// extension has a library, and so nothing to add to what the base's own linker finds; base may be nil.
//
// A name that the base has stays the base's, unless its file is replaced: programs of the base must not get another
// library because an extension brings one for itself.
func Libraries(base *tree.Tree, roots ...*tree.Tree) ([]elf.Library, error) {
	var own []string
	for _, root := range roots {
		folders, err := libraryFolders(root)
		if err != nil {
			return nil, err
		}
		own = append(own, folders...)
	}
	if own == nil {
		return nil, nil
	}
	if base == nil {
		base = &tree.Tree{}
	}
	view := Overlay(append([]*tree.Tree{base}, roots...)...)
	var folders []string
	for _, t := range []*tree.Tree{base, view} {
		listed, err := elf.ConfFolders(t)
		if err != nil {
			return nil, err
		}
		folders = append(folders, listed...)
		for _, m := range []debugelf.Machine{debugelf.EM_X86_64, debugelf.EM_AARCH64} {
			folders = append(folders, elf.DefaultFolders(m)...)
		}
	}
	slices.Sort(own)
	all, err := elf.Libraries(view, append(append(folders, "/usr/local/lib"), own...), ldcache.Compare)
	all = slices.DeleteFunc(all, func(l elf.Library) bool { return l.Info.Class != debugelf.ELFCLASS64 })
	slices.SortStableFunc(all, func(a, b elf.Library) int { return foreign(base, a) - foreign(base, b) })
	return all, err
}

// foreign is 0 for a library in the base, 1 for others.
func foreign(base *tree.Tree, l elf.Library) int {
	if base.Get(l.File) == nil {
		return 1
	}
	return 0
}

// libraryFolders are the folders below /usr/local in which root has libraries that others can be linked to. Containers are
// worlds of their own.
func libraryFolders(root *tree.Tree) ([]string, error) {
	var out []string
	for _, n := range root.Nodes() {
		dir := "/" + path.Dir(n.Path)
		if !n.Mode.IsRegular() || !below(n.Path, "usr/local") || below(n.Path, strings.TrimPrefix(extservice.RootFolder, "/")) ||
			!elf.IsLibraryName(n.Name()) || slices.Contains(out, dir) {
			continue
		}
		l, err := elf.ReadLibrary(root, n)
		if err != nil {
			return nil, err
		}
		if l != nil && l.Info.Class == debugelf.ELFCLASS64 && l.Info.Soname != "" {
			out = append(out, dir)
		}
	}
	return out, nil
}

// byName is where the linker finds libraries by their names.
func byName(libraries []elf.Library) map[string][]string {
	if libraries == nil {
		return nil
	}
	out := map[string][]string{}
	for _, l := range libraries {
		out[l.Name] = append(out[l.Name], l.Path)
	}
	return out
}
