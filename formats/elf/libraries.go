package elf

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Library is a shared library as ldconfig(8) lists it.
type Library struct {
	Name string // by which others need it: that in the file, or else the file's own
	Path string // absolute, in the folder where it was found; links are not followed
	File string // in the tree, links followed
	Info Info
}

// Libraries are those in folders of t, by folder, in the order of names. Like ldconfig it takes files called lib*.so* or ld-*.so*,
// and of those that are one library in a folder the one whose name is the library's, or else that of the highest version
// (order compares them). It leaves out what is no shared library. Folders that t does not have, or that are one, do no harm.
func Libraries(t *tree.Tree, folders []string, order func(a, b string) int) ([]Library, error) {
	entries := t.Folders()
	seen := map[string]bool{}
	var out []Library
	for _, folder := range folders {
		at, err := t.Resolve(folder)
		if err != nil || seen[at] {
			continue
		}
		seen[at] = true
		byName := map[string]int{}
		for _, n := range entries[at] {
			l, err := ReadLibrary(t, n)
			if err != nil {
				return nil, err
			}
			if l == nil {
				continue
			}
			l.Path = path.Join("/", folder, n.Name())
			i, twice := byName[l.Name]
			if !twice {
				byName[l.Name] = len(out)
				out = append(out, *l)
			} else if better(l, &out[i], order) {
				out[i] = *l
			}
		}
	}
	return out, nil
}

func better(a, b *Library, order func(a, b string) int) bool {
	file, old := path.Base(a.Path), path.Base(b.Path)
	return old != b.Name && (file == a.Name || order(file, old) > 0)
}

// ReadLibrary is n, of t, as a library; nil if it is none.
func ReadLibrary(t *tree.Tree, n *tree.Node) (*Library, error) {
	name := n.Name()
	if !IsLibraryName(name) {
		return nil, nil
	}
	file, err := t.Resolve(n.Path)
	if err != nil || !t.Get(file).Mode.IsRegular() {
		return nil, nil
	}
	content := t.Get(file).Open()
	head := make([]byte, min(content.Size(), int64(len(Magic))))
	if err := blob.ReadFull(content, head, 0); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if string(head) != Magic { // a linker's script
		return nil, nil
	}
	info, err := Needed(content)
	switch kind := report.KindOf(err); {
	case err != nil && kind != report.Invalid && kind != report.Unsupported:
		return nil, fmt.Errorf("%s: %w", file, err)
	case err != nil || info.Type != elf.ET_DYN:
		return nil, nil
	}
	l := &Library{Name: info.Soname, Path: path.Join("/", n.Path), File: file, Info: info}
	link := n.Mode&fs.ModeSymlink != 0
	if l.Name == "" || link && strings.HasSuffix(name, ".so") && strings.HasPrefix(l.Name, name) { // what compilers look for
		l.Name = name
	}
	return l, nil
}

// IsLibraryName tells whether ldconfig would look into a file of that name.
func IsLibraryName(name string) bool {
	return strings.HasPrefix(name, "ld.so.") || strings.Contains(name, ".so") && (strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "ld-"))
}
