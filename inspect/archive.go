package inspect

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// openArchives walks what the kernel takes as an initramfs: newc archives, each plain or compressed, with zeros between.
// A compressed file that holds no archive is walked the same way and shows what it holds.
func openArchives(o *opener, it *Item, depth int) error {
	for off := int64(0); off < it.Size; {
		n, err := zeros(it.Blob, off)
		if err != nil {
			return err
		}
		if off += n; off == it.Size {
			break
		}
		rest := blob.Slice(it.Blob, off, it.Size-off)
		piece := &Item{Name: fmt.Sprintf("#%d", len(it.Items)+1), layer: true}
		it.Items = append(it.Items, piece)
		if o.items--; o.items < 0 || o.ctx.Err() != nil {
			return fmt.Errorf("more items than are looked at")
		}
		end, err := o.archive(piece, rest, depth+1)
		if err != nil {
			return fmt.Errorf("piece at offset %d: %w", off, err)
		}
		piece.Size, piece.Blob = end, blob.Slice(rest, 0, end)
		off += end
	}
	it.fact("extensions", extensions(it))
	return nil
}

// openTar shows the files of an archive, such as an OVA.
func openTar(o *opener, it *Item, depth int) error {
	sparse := func(_ string, _ int64, r io.Reader) (blob.Blob, error) { return o.readAll(r) }
	t, err := tar.ReadBlob(it.Blob, tar.ReadOptions{MaxFiles: defaultItems, Spool: sparse})
	if err != nil {
		return err
	}
	o.tree(it, t, depth)
	return nil
}

// extensions are the system extensions that the list in an initramfs names.
func extensions(it *Item) string {
	item := it.find(extlayers.File)
	if item == nil {
		return ""
	}
	text, err := blob.ReadAll(item.Blob, 4<<20)
	if err != nil {
		return ""
	}
	list, err := extlayers.Parse(extlayers.File, text)
	if err != nil {
		return ""
	}
	var names []string
	for _, l := range list.Layers {
		names = append(names, l.Metadata.Name+" "+l.Metadata.Version)
	}
	return strings.Join(names, ", ")
}

// archive fills in the piece at the start of rest and returns where it ends.
func (o *opener) archive(piece *Item, rest blob.Blob, depth int) (int64, error) {
	p, err := newProbe(rest)
	if err != nil {
		return 0, err
	}
	content, end := rest, int64(0)
	if piece.Type = packed(p.head); piece.Type != "" {
		if content, end, err = o.unpack(piece.Type, rest); err != nil {
			return 0, err
		}
		piece.fact("unpacked", fmt.Sprint(content.Size()))
		if p, err = newProbe(content); err != nil {
			return 0, err
		}
	}
	if !p.at(0, "07070") {
		if end == 0 {
			return 0, fmt.Errorf("neither an archive nor a compression that is known")
		}
		_, _ = o.add(piece, "content", content, depth)
		return end, nil
	}
	t, archiveEnd, err := cpio.Read(content)
	if cut := (cpio.EndError{}); errors.As(err, &cut) && end == 0 { // by design in what installers keep (package bootassets)
		piece.Type = "cpio"
		piece.fact("goes on elsewhere", fmt.Sprintf("%s, %d bytes", cut.Name, cut.Size))
		return rest.Size(), nil
	}
	if err != nil {
		return 0, err
	}
	if end == 0 {
		piece.Type, end = "cpio", archiveEnd
	}
	o.tree(piece, t, depth)
	return end, nil
}

// unpack is the content of the compressed piece at the start of b, in memory, and where the piece ends.
func (o *opener) unpack(compression string, b blob.Blob) (blob.Blob, int64, error) {
	switch compression {
	case "zstd":
		end, err := zstd.End(b)
		if err != nil {
			return nil, 0, err
		}
		r, err := zstd.NewReader(blob.Reader(blob.Slice(b, 0, end)), o.unpacked)
		if err != nil {
			return nil, 0, err
		}
		defer r.Close()
		content, err := o.readAll(r)
		return content, end, err
	case "gzip":
		in := &counter{r: blob.Reader(b)}
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, 0, err
		}
		r.Multistream(false)
		content, err := o.readAll(r)
		return content, in.n, err
	}
	return nil, 0, fmt.Errorf("%s is not unpacked here", compression)
}

func (o *opener) readAll(r io.Reader) (blob.Blob, error) {
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(r, o.unpacked+1))
	if err == nil && n > o.unpacked {
		err = fmt.Errorf("unpacks to more than the %d bytes that are looked at", o.unpacked)
	}
	o.unpacked -= min(n, o.unpacked)
	return blob.Bytes(buf.Bytes()), err
}

// counter counts what gzip took; with ReadByte, gzip takes no byte too many.
type counter struct {
	r   io.Reader
	n   int64
	one [1]byte
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *counter) ReadByte() (byte, error) {
	if _, err := io.ReadFull(c, c.one[:]); err != nil {
		return 0, err
	}
	return c.one[0], nil
}

// tree shows files and links, and folders only where nothing is in them.
func (o *opener) tree(it *Item, t *tree.Tree, depth int) {
	folders := t.Folders()
	for _, n := range t.Nodes() {
		switch {
		case n.Mode.IsRegular():
			child, ok := o.add(it, n.Path, n.Open(), depth)
			if !ok {
				return
			}
			if perm := n.Mode.Perm(); perm&0o111 != 0 && child.Type == "data" {
				child.fact("mode", perm.String())
			}
		case n.Mode.IsDir() && len(folders[n.Path]) > 0 || n.Path == ".":
		default:
			if o.items--; o.items < 0 {
				it.Note = "has more items than are looked at"
				return
			}
			it.Items = append(it.Items, other(n))
		}
	}
}

// other is a node without content.
func other(n *tree.Node) *Item {
	child := &Item{Name: n.Path, Type: "device", Blob: blob.Zeros(0)}
	switch {
	case n.Mode.IsDir():
		child.Type = "folder"
	case n.Link != "":
		child.Type = "link"
		child.fact("to", n.Link)
	default:
		child.fact("device", fmt.Sprintf("%d:%d", n.Major, n.Minor))
	}
	return child
}

// zeros counts the zero bytes of b from off on, without reading its known holes.
func zeros(b blob.Blob, off int64) (int64, error) {
	buf := make([]byte, 64<<10)
	start := off
	for off < b.Size() {
		n := min(int64(len(buf)), b.Size()-off)
		if err := blob.ReadFull(b, buf[:n], off); err != nil {
			return 0, err
		}
		if i := bytes.IndexFunc(buf[:n], func(r rune) bool { return r != 0 }); i >= 0 {
			return off + int64(i) - start, nil
		}
		off += n
	}
	return off - start, nil
}
