package inspect

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
)

// openSquashfs reads the superblock (squashfs 4.0, little-endian). Files are items only where the image is all there is to
// look at; of an image in something else, which may have thousands, they are found by their paths.
func openSquashfs(o *opener, it *Item, depth int) error {
	var sb [96]byte
	if err := blob.ReadFull(it.Blob, sb[:], 0); err != nil {
		return fmt.Errorf("squashfs without a whole superblock: %w", err)
	}
	le := binary.LittleEndian
	compression := map[uint16]string{1: "gzip", 2: "lzma", 3: "lzo", 4: "xz", 5: "lz4", 6: "zstd"}[le.Uint16(sb[20:])]
	it.fact("compression", compression)
	it.fact("inodes", fmt.Sprint(le.Uint32(sb[4:])))
	it.fact("block size", fmt.Sprint(le.Uint32(sb[12:])))
	it.fact("made", time.Unix(int64(le.Uint32(sb[8:])), 0).UTC().Format(time.RFC3339))
	if used := le.Uint64(sb[40:]); used > uint64(it.Size) {
		return fmt.Errorf("truncated: the superblock says %d bytes, there are %d", used, it.Size)
	}
	if depth > 0 {
		it.within = func(p string) *Item { return o.inSquashfs(it, p, depth) }
		return nil
	}
	t, err := squashfs.Read(it.Blob, squashfs.Options{MaxFiles: o.items})
	if err != nil {
		return err
	}
	o.tree(it, t, depth)
	return nil
}

// inSquashfs is the item at p in the image it, or in a file of it; nil for none.
func (o *opener) inSquashfs(it *Item, p string, depth int) *Item {
	t, err := squashfs.Read(it.Blob, squashfs.Options{MaxFiles: defaultItems})
	if err != nil {
		it.Note = err.Error()
		return nil
	}
	for at := p; at != "." && at != "/"; at = path.Dir(at) {
		n := t.Get(at)
		switch {
		case n == nil:
		case n.Mode.IsRegular():
			var one tree.Tree
			one.File(at, n.Mode, n.Content)
			found := &Item{}
			newOpener(o.ctx, Options{}).tree(found, &one, depth)
			return found.Items[0].find(strings.TrimPrefix(p[len(at):], "/"))
		case at == p && !n.Mode.IsDir():
			return other(n)
		}
	}
	return nil
}
