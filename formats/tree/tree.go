// Package tree holds the second of bootwright's two nouns: named files.
//
// A Tree is what cpio, tar, FAT, ISO 9660 and EROFS are written from and what their readers give back. Paths are
// relative, slash-separated and clean, as io/fs has them; a path that leaves the tree cannot be added.
package tree

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// Node is one file. Mode holds the type and the permission bits, setuid, setgid and sticky included (fs.ModeSetuid …).
type Node struct {
	Path     string // relative and clean; "." is the root
	Mode     fs.FileMode
	UID, GID uint32
	ModTime  time.Time // zero means the time that the format is given
	Content  blob.Blob // of a regular file; nil means empty
	Link     string    // target of a symbolic link, as written
	Major    uint32    // of a device
	Minor    uint32
	Xattrs   map[string]string // extended attributes, where the format can hold them
}

// Name is the last element of the path.
func (n *Node) Name() string { return path.Base(n.Path) }

// Size is the content's length in bytes; 0 for what has none.
func (n *Node) Size() int64 {
	if n.Content == nil {
		return 0
	}
	return n.Content.Size()
}

// Open is the content, never nil.
func (n *Node) Open() blob.Blob {
	if n.Content == nil {
		return blob.Zeros(0)
	}
	return n.Content
}

// Tree is a set of nodes by path. The zero value is an empty tree. Parents that nobody added exist as folders of mode
// 0755, owned by root.
type Tree struct {
	nodes   map[string]*Node
	entries map[string]int // number of entries of each folder that has some
}

// CheckPath reports why p cannot be a path in a tree, or nil.
func CheckPath(p string) error {
	switch {
	case p == "":
		return fmt.Errorf("empty path")
	case strings.ContainsRune(p, 0):
		return fmt.Errorf("path %q holds a NUL byte", p)
	case strings.HasPrefix(p, "/"):
		return fmt.Errorf("path %q is absolute; paths in a tree are relative to its root", p)
	case slices.Contains(strings.Split(p, "/"), ".."):
		return fmt.Errorf("path %q leaves the tree", p)
	case path.Clean(p) != p:
		return fmt.Errorf("path %q is not clean; write %q", p, path.Clean(p))
	}
	return nil
}

// CleanPath is the path of the file that an archive calls name: "./a", "/a", "a/" and "a//." are all "a". A name with ".."
// in it may leave the tree and is an error.
func CleanPath(name string) (string, error) {
	p := path.Clean(strings.TrimLeft(name, "/"))
	switch {
	case name == "":
		return "", fmt.Errorf("empty path")
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", fmt.Errorf("path %q leaves the tree", name)
	}
	return p, CheckPath(p)
}

// Add puts n into the tree and makes the parents it lacks. A node that is there already is replaced, except that a
// folder with entries stays a folder: then, as where a parent is no folder, Add returns an error and changes nothing.
func (t *Tree) Add(n Node) error {
	if err := CheckPath(n.Path); err != nil {
		return err
	}
	if n.Path == "." && !n.Mode.IsDir() {
		return fmt.Errorf("the root is a folder and cannot become a %s", typeName(n.Mode))
	}
	if t.entries[n.Path] > 0 && !n.Mode.IsDir() {
		return fmt.Errorf("%s is a folder with entries and cannot become a %s", n.Path, typeName(n.Mode))
	}
	// A folder that exists has parents that are folders: the walk up ends there.
	top := parent(n.Path)
	for top != "." && t.nodes[top] == nil {
		top = parent(top)
	}
	if up := t.nodes[top]; up != nil && !up.Mode.IsDir() {
		return fmt.Errorf("%s cannot be added: %s is a %s, not a folder", n.Path, top, typeName(up.Mode))
	}
	for p := parent(n.Path); p != top; p = parent(p) {
		t.put(&Node{Path: p, Mode: fs.ModeDir | 0o755})
	}
	t.put(&n)
	return nil
}

// put stores n, whose rules Add has checked.
func (t *Tree) put(n *Node) {
	if t.nodes == nil {
		t.nodes, t.entries = map[string]*Node{}, map[string]int{}
	}
	if t.nodes[n.Path] == nil && n.Path != "." {
		t.entries[parent(n.Path)]++
	}
	t.nodes[n.Path] = n
}

// File adds a regular file, Dir a folder, Symlink a symbolic link. They panic where Add returns an error: the caller
// chose the path, it did not come from outside.
func (t *Tree) File(p string, mode fs.FileMode, content blob.Blob) {
	t.must(Node{Path: p, Mode: mode, Content: content})
}

// Dir adds a folder; see File.
func (t *Tree) Dir(p string, mode fs.FileMode) { t.must(Node{Path: p, Mode: fs.ModeDir | mode}) }

// Symlink adds a symbolic link at p that says target; see File.
func (t *Tree) Symlink(p, target string) {
	t.must(Node{Path: p, Mode: fs.ModeSymlink | 0o777, Link: target})
}

func (t *Tree) must(n Node) {
	if err := t.Add(n); err != nil {
		panic("tree: " + err.Error())
	}
}

// Remove takes p and everything below it out of the tree.
func (t *Tree) Remove(p string) {
	if t.nodes[p] != nil && p != "." {
		t.entries[parent(p)]--
	}
	for q := range t.nodes {
		if q == p || p == "." || strings.HasPrefix(q, p+"/") {
			delete(t.nodes, q)
			delete(t.entries, q)
		}
	}
}

// Get is the node at p, or nil.
func (t *Tree) Get(p string) *Node {
	if n := t.nodes[p]; n != nil || p != "." {
		return n
	}
	return &Node{Path: ".", Mode: fs.ModeDir | 0o755}
}

// Len is the number of nodes.
func (t *Tree) Len() int { return len(t.nodes) }

// Nodes are all nodes, each folder before its entries and entries by byte order of their names, whatever the order of
// Add: the order in which formats write them. The root is among them only if it was added.
func (t *Tree) Nodes() []*Node {
	out := make([]*Node, 0, len(t.nodes))
	for _, n := range t.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *Node) int { return comparePaths(a.Path, b.Path) })
	return out
}

// Folders are the entries of every folder that has some, by the folder's path ("." is the root), by name.
func (t *Tree) Folders() map[string][]*Node {
	out := map[string][]*Node{}
	for _, n := range t.Nodes() {
		if n.Path != "." {
			out[parent(n.Path)] = append(out[parent(n.Path)], n)
		}
	}
	return out
}

// parent is path.Dir of a clean path, without cleaning it again.
func parent(p string) string {
	if i := strings.LastIndexByte(p, '/'); i >= 0 {
		return p[:i]
	}
	return "."
}

// comparePaths orders by element, so that "a/b" comes before "a-b" and a folder before what is in it.
func comparePaths(a, b string) int {
	if a == "." || b == "." {
		return cmp.Compare(btoi(a != "."), btoi(b != "."))
	}
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return cmp.Compare(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func typeName(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m.IsRegular():
		return "file"
	}
	return "special file"
}
