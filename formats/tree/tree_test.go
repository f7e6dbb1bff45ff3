package tree_test

import (
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

func paths(t *tree.Tree) []string {
	var out []string
	for _, n := range t.Nodes() {
		out = append(out, n.Path)
	}
	return out
}

func TestCheckPath(t *testing.T) {
	t.Parallel()
	for p, want := range map[string]string{
		".": "", "a": "", "a/b": "", "...": "", "a/..b": "", "a b": "", "\xff": "",
		"": "empty", "/": "absolute", "/a": "absolute", "..": "leaves", "../a": "leaves", "a/../b": "leaves",
		"a/": "not clean", "./a": "not clean", "a//b": "not clean", "a/./b": "not clean", "a\x00b": "NUL",
	} {
		err := tree.CheckPath(p)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("CheckPath(%q) = %v; want %q", p, err, want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()
	var tr tree.Tree
	tr.File("dir/file", 0o644, blob.String("x"))
	tr.Symlink("link", "/etc")
	before := paths(&tr)
	for _, c := range []struct {
		n    tree.Node
		want []string
	}{
		{tree.Node{Path: "dir"}, []string{"dir is a folder with entries", "become a file"}},
		{tree.Node{Path: "dir", Mode: fs.ModeSymlink}, []string{"become a symbolic link"}},
		{tree.Node{Path: "dir/file/x"}, []string{"dir/file/x", "dir/file is a file, not a folder"}},
		{tree.Node{Path: "link/a/b/c"}, []string{"link/a/b/c", "link is a symbolic link, not a folder"}},
		{tree.Node{Path: ".", Mode: fs.ModeSocket}, []string{"root", "special file"}},
		{tree.Node{Path: "../x"}, []string{`"../x"`, "leaves the tree"}},
	} {
		err := tr.Add(c.n)
		for _, w := range c.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("Add(%q) = %v; want %q in it", c.n.Path, err, w)
			}
		}
	}
	if got := paths(&tr); !slices.Equal(got, before) {
		t.Errorf("refused nodes changed the tree from %q to %q", before, got)
	}
}

func TestAddReplaces(t *testing.T) {
	t.Parallel()
	var tr tree.Tree
	tr.Dir("d", 0o700)
	tr.File("d", 0o644, nil) // an empty folder may become a file
	tr.Dir("d", 0o711)       // and a file a folder
	tr.File("d/x", 0o644, nil)
	tr.Dir("d", 0o700) // a folder stays one and keeps its entries
	if n := tr.Get("d"); n.Mode != fs.ModeDir|0o700 || tr.Get("d/x") == nil {
		t.Errorf("d is %v, d/x %v", n.Mode, tr.Get("d/x"))
	}
	tr.Remove("d/x")
	tr.File("d", 0o600, nil) // the last entry is gone
	if got := paths(&tr); !slices.Equal(got, []string{"d"}) {
		t.Errorf("got %q", got)
	}
}

func TestNodesOrder(t *testing.T) {
	t.Parallel()
	want := []string{".", "a", "a/b", "a/b/c", "a/b c", "a-b", "a.b", "aa", "b"}
	for range 20 {
		var tr tree.Tree
		for _, i := range rand.Perm(len(want)) {
			mode := fs.ModeDir | 0o755
			if err := tr.Add(tree.Node{Path: want[i], Mode: mode}); err != nil {
				t.Fatal(err)
			}
		}
		if got := paths(&tr); !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestImpliedParentsAndFolders(t *testing.T) {
	t.Parallel()
	var tr tree.Tree
	tr.File("a/b/c", 0o600, blob.String("hello"))
	tr.File("z", 0o600, nil)
	if n := tr.Get("a/b"); n == nil || n.Mode != fs.ModeDir|0o755 || n.UID != 0 {
		t.Errorf("implied parent is %+v", n)
	}
	if n := tr.Get("."); n == nil || !n.Mode.IsDir() {
		t.Errorf("root is %+v", n)
	}
	folders := tr.Folders()
	if len(folders) != 3 || len(folders["."]) != 2 || folders["a/b"][0].Name() != "c" {
		t.Errorf("folders are %v", folders)
	}
	if tr.Get("z").Size() != 0 || tr.Get("z").Open().Size() != 0 || tr.Get("a/b/c").Size() != 5 {
		t.Error("sizes are wrong")
	}
	tr.Remove("a")
	if got := paths(&tr); !slices.Equal(got, []string{"z"}) {
		t.Errorf("after Remove: %q", got)
	}
}

func TestUnixMode(t *testing.T) {
	t.Parallel()
	for _, u := range []uint32{0o100644, 0o040755, 0o120777, 0o060660, 0o020600, 0o010644, 0o140700, 0o104755, 0o102755, 0o041777} {
		if got := tree.UnixMode(tree.FileMode(u)); got != u {
			t.Errorf("UnixMode(FileMode(%o)) = %o", u, got)
		}
	}
	if m := tree.FileMode(0o170000); m.Type() != fs.ModeIrregular || tree.UnixMode(m) != 0 {
		t.Errorf("FileMode(0170000) = %v", m)
	}
}

// FuzzAdd adds and removes what a script says and checks the rules of a tree against a plain set of paths.
func FuzzAdd(f *testing.F) {
	f.Add("fa/b\nda\nfa\nla/b/c\nra\nfa")
	f.Add("f.\nd.\nfx\nr.\nf../a\nfx/y")
	f.Fuzz(func(t *testing.T, script string) {
		var tr tree.Tree
		for line := range strings.SplitSeq(script, "\n") {
			if line == "" {
				continue
			}
			p, before := line[1:], paths(&tr)
			var err error
			switch line[0] {
			case 'r':
				tr.Remove(p)
				continue
			case 'd':
				err = tr.Add(tree.Node{Path: p, Mode: fs.ModeDir | 0o700})
			case 'l':
				err = tr.Add(tree.Node{Path: p, Mode: fs.ModeSymlink, Link: "x"})
			default:
				err = tr.Add(tree.Node{Path: p})
			}
			if err != nil && !slices.Equal(before, paths(&tr)) {
				t.Fatalf("%q changed the tree and failed: %v", line, err)
			}
			if err == nil && tree.CheckPath(p) != nil {
				t.Fatalf("%q was added", p)
			}
		}
		seen := map[string]bool{".": true}
		for _, n := range tr.Nodes() {
			up := tr.Get(path.Dir(n.Path))
			if up == nil || !up.Mode.IsDir() || !seen[path.Dir(n.Path)] {
				t.Fatalf("%q comes without its folder", n.Path)
			}
			seen[n.Path] = true
		}
		if len(seen) < tr.Len() {
			t.Fatalf("%d of %d nodes", len(seen), tr.Len())
		}
	})
}

func TestCleanPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a/b": "a/b", "./a": "a", "/a": "a", "//a//b/": "a/b", "./": ".", "/": ".", ".": ".", "a/./b": "a/b", "..a": "..a",
		"": "", "..": "", "/..": "", "a/../b": "", "a/..": "", "a\x00": "",
	} {
		if got, err := tree.CleanPath(name); got != want && err == nil || (err == nil) == (want == "") {
			t.Errorf("CleanPath(%q) = %q, %v; want %q", name, got, err, want)
		}
	}
}
