package extension

import (
	"path"
	"strings"

	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// White-outs (image-spec, layer.md): a file of this prefix removes the file of the lower layers that the rest names, one
// of the opaque name all that is in its folder there.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
)

// overlay is layer laid over lower.
func overlay(lower, layer *tree.Tree) (*tree.Tree, error) {
	gone := map[string]bool{}    // paths of lower that are not there any more, with all below
	emptied := map[string]bool{} // folders of lower that are empty
	for _, n := range layer.Nodes() {
		dir, name := path.Dir(n.Path), n.Name()
		switch hidden, ok := strings.CutPrefix(name, whiteout); {
		case name == opaque:
			emptied[dir] = true
		case ok && (hidden == "" || hidden == "." || hidden == ".."):
			return nil, report.Errorf(report.Invalid, "%s removes no file", n.Path)
		case ok:
			gone[path.Join(dir, hidden)] = true
		default:
			if old := lower.Get(n.Path); old != nil && old.Mode.IsDir() != n.Mode.IsDir() {
				gone[n.Path] = true
			}
		}
	}
	out := &tree.Tree{}
	for _, n := range lower.Nodes() {
		if visible(n.Path, gone, emptied) {
			if err := out.Add(*n); err != nil {
				return nil, err
			}
		}
	}
	return out, addLayer(out, layer)
}

func visible(p string, gone, emptied map[string]bool) bool {
	for ; p != "."; p = path.Dir(p) {
		if gone[p] || emptied[path.Dir(p)] {
			return false
		}
	}
	return true
}

func addLayer(out, layer *tree.Tree) error {
	for _, n := range layer.Nodes() {
		if strings.HasPrefix(n.Name(), whiteout) {
			continue
		}
		// A folder without a time is not in the archive, only something in it.
		if old := out.Get(n.Path); old != nil && n.Mode.IsDir() && n.ModTime.IsZero() {
			continue
		}
		if err := out.Add(*n); err != nil {
			return report.Errorf(report.Invalid, "%w", err)
		}
	}
	return nil
}
