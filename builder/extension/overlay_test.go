package extension

import (
	stdtar "archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
)

// FuzzOverlay lays an archive over another: what is there afterwards was in one of them, and white-outs are not.
func FuzzOverlay(f *testing.F) {
	seed := func(names ...string) []byte {
		var b bytes.Buffer
		w := stdtar.NewWriter(&b)
		for _, n := range names {
			h := &stdtar.Header{Name: n, Mode: 0o755}
			if n, link, ok := strings.Cut(n, ">"); ok {
				h.Name, h.Linkname, h.Typeflag = n, link, stdtar.TypeSymlink
			}
			if err := w.WriteHeader(h); err != nil {
				f.Fatal(err)
			}
		}
		w.Close()
		return b.Bytes()
	}
	f.Add(seed("a/b/c", "d", "l>a"), seed("a/.wh.b", "d/e", "l/x", "a/.wh..wh..opq", ".wh.", ".wh...", "q/"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		lower, err := tar.ReadBlob(blob.Bytes(a), tar.ReadOptions{MaxFiles: 1000})
		if err != nil {
			return
		}
		layer, err := tar.ReadBlob(blob.Bytes(b), tar.ReadOptions{MaxFiles: 1000})
		if err != nil {
			return
		}
		first, err := overlay(&tree.Tree{}, lower)
		if err != nil {
			return
		}
		out, err := overlay(first, layer)
		if err != nil {
			return
		}
		for _, n := range out.Nodes() {
			if strings.HasPrefix(n.Name(), whiteout) && !n.Mode.IsDir() || lower.Get(n.Path) == nil && layer.Get(n.Path) == nil {
				t.Errorf("%s is there", n.Path)
			}
		}
	})
}
