package tree

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// maxLinks is how many symbolic links one path may pass, as in Linux (path_resolution(7)).
const maxLinks = 40

// Resolve is the path of the node that p names once symbolic links are followed, the last element included. The tree
// is the whole world: absolute paths and link targets start at its root, and ".." at the root stays there. A path that
// names nothing is an fs.PathError that holds fs.ErrNotExist.
func (t *Tree) Resolve(p string) (string, error) {
	way, err := t.Trace(p)
	if err != nil {
		return "", err
	}
	return way[len(way)-1], nil
}

// Trace is Resolve with the way there: the paths of the links that were followed, in order, then what p names. A tree
// that holds these nodes resolves p alike.
func (t *Tree) Trace(p string) ([]string, error) {
	fail := func(err error) ([]string, error) { return nil, &fs.PathError{Op: "resolve", Path: p, Err: err} }
	if p == "" {
		return fail(fs.ErrNotExist)
	}
	var way []string
	at, rest := ".", strings.Split(p, "/")
	for len(rest) > 0 {
		var name string
		name, rest = rest[0], rest[1:]
		n := t.Get(path.Join(at, name))
		switch {
		case name == "..":
			at = path.Dir(at)
		case n == nil:
			return fail(fmt.Errorf("%s: %w", path.Join(at, name), fs.ErrNotExist))
		case n.Mode&fs.ModeSymlink == 0:
			if len(rest) > 0 && !n.Mode.IsDir() {
				return fail(fmt.Errorf("%s is a %s, not a folder: %w", n.Path, typeName(n.Mode), fs.ErrNotExist))
			}
			at = n.Path
		case n.Link == "":
			return fail(fmt.Errorf("%s is an empty link: %w", n.Path, fs.ErrNotExist))
		case len(way) == maxLinks:
			return fail(report.Errorf(report.Invalid, "more than %d symbolic links", maxLinks))
		default:
			way = append(way, n.Path)
			rest = append(strings.Split(n.Link, "/"), rest...)
			if strings.HasPrefix(n.Link, "/") {
				at = "."
			}
		}
	}
	return append(way, at), nil
}
