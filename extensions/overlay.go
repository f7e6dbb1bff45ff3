package extensions

import (
	"path"
	"strings"

	"github.com/bootwright/bootwright/formats/tree"
)

// Root is the root file system that the extension t brings: what is in its folder rootfs.
func Root(t *tree.Tree) *tree.Tree { return sub(t, RootFolder) }

// sub is what is below folder in t, with paths from there.
func sub(t *tree.Tree, folder string) *tree.Tree {
	out := &tree.Tree{}
	for _, n := range t.Nodes() {
		if rest, ok := strings.CutPrefix(n.Path, folder+"/"); ok {
			moved := *n
			moved.Path = rest
			mustAdd(out, moved)
		}
	}
	return out
}

// Overlay is what a machine sees of root file systems laid over each other, the lowest first. Unlike where the kernel
// mounts them, a folder that is a symbolic link below stays one, and what is put into it goes to where that points: a
// base with /lib -> usr/lib takes an extension with /lib/modules.
func Overlay(layers ...*tree.Tree) *tree.Tree {
	out := &tree.Tree{}
	for _, layer := range layers {
		for _, n := range layer.Nodes() {
			place(out, *n)
		}
	}
	return out
}

func place(out *tree.Tree, n tree.Node) {
	if dir, err := out.Resolve(path.Dir(n.Path)); err == nil && out.Get(dir).Mode.IsDir() {
		n.Path = path.Join(dir, path.Base(n.Path))
	}
	if n.Mode.IsDir() {
		if p, err := out.Resolve(n.Path); err == nil && out.Get(p).Mode.IsDir() {
			return
		}
	}
	for p := path.Dir(n.Path); p != "."; p = path.Dir(p) { // folders that replace a file
		if up := out.Get(p); up != nil && !up.Mode.IsDir() {
			out.Remove(p)
		}
	}
	if old := out.Get(n.Path); old != nil && old.Mode.IsDir() != n.Mode.IsDir() {
		out.Remove(n.Path)
	}
	mustAdd(out, n)
}

// mustAdd adds a node that came from a tree: its path is clean.
func mustAdd(t *tree.Tree, n tree.Node) {
	if err := t.Add(n); err != nil {
		panic("extensions: " + err.Error())
	}
}
