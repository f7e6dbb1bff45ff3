// Package treetest compares trees in tests.
package treetest

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

// Dump is a line for each node, in order, with all that a format may keep of it: path, mode, owner, time, then a link's
// target, a device's numbers, or a file's size and digest, and the extended attributes. Before a node is written change, which may
// be nil, can drop from a copy of it what the format under test does not hold.
func Dump(tb testing.TB, t *tree.Tree, change func(*tree.Node)) string {
	tb.Helper()
	var out strings.Builder
	for _, p := range t.Nodes() {
		n := *p
		if change != nil {
			change(&n)
		}
		fmt.Fprintf(&out, "%q %v %d:%d", n.Path, n.Mode, n.UID, n.GID)
		if !n.ModTime.IsZero() {
			fmt.Fprintf(&out, " %d.%09d", n.ModTime.Unix(), n.ModTime.Nanosecond())
		}
		switch n.Mode.Type() {
		case 0:
			sum, err := blob.Sum(context.Background(), n.Open())
			if err != nil {
				tb.Fatalf("read %s: %v", n.Path, err)
			}
			fmt.Fprintf(&out, " %d %s", n.Size(), sum.Short())
		case fs.ModeSymlink:
			fmt.Fprintf(&out, " -> %q", n.Link)
		case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
			fmt.Fprintf(&out, " %d,%d", n.Major, n.Minor)
		}
		for _, k := range slices.Sorted(maps.Keys(n.Xattrs)) {
			fmt.Fprintf(&out, " %s=%q", k, n.Xattrs[k])
		}
		out.WriteByte('\n')
	}
	return out.String()
}
