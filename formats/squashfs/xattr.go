package squashfs

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// prefixes are what names of extended attributes begin with, by the number that stands for them.
var prefixes = [...]string{"user.", "trusted.", "security."}

const (
	outOfLine     = 1 << 8 // in a number: the value is elsewhere, and here is a reference to it
	maxXattrValue = 1 << 16
)

// An xattrSet is the attributes of the files that have the same ones: pairs of a name and a value.
type (
	xattrSet struct {
		Ref         uint64 // of the first pair
		Count, Size uint32 // pairs, and their bytes
	}
	xattrName struct{ Prefix, Size uint16 }
	// xattrHead is before the list of the blocks that hold the sets.
	xattrHead struct {
		Pairs    uint64 // offset of the blocks that hold the pairs
		Count, _ uint32 // sets
	}
)

// xattrTable is what an image that is read has of them.
type xattrTable struct {
	pairs uint64
	sets  []xattrSet
}

func openXattrs(im *image) (*xattrTable, error) {
	if im.super.XattrTable == noTable {
		return &xattrTable{}, nil
	}
	var head xattrHead
	p := make([]byte, binary.Size(head))
	if err := im.readAt(p, im.super.XattrTable); err != nil {
		return nil, err
	}
	if _, err := binary.Decode(p, binary.LittleEndian, &head); err != nil {
		return nil, err
	}
	sets, err := table[xattrSet](im, im.super.XattrTable+uint64(len(p)), int(head.Count))
	return &xattrTable{head.Pairs, sets}, err
}

// read is set i, or nothing for none.
func (x *xattrTable) read(im *image, i uint32) (map[string]string, error) {
	if i == none {
		return nil, nil
	}
	if uint64(i) >= uint64(len(x.sets)) {
		return nil, report.Errorf(report.Invalid, "extended attributes %d of %d", i, len(x.sets))
	}
	c := x.at(im, x.sets[i].Ref)
	out := map[string]string{}
	for range x.sets[i].Count {
		name, value, err := x.pair(im, c)
		if err != nil {
			return nil, fmt.Errorf("extended attributes: %w", err)
		}
		out[name] = value
	}
	return out, nil
}

func (x *xattrTable) at(im *image, ref uint64) *cursor {
	return &cursor{im, x.pairs + ref>>16, uint16(ref)}
}

func (x *xattrTable) pair(im *image, c *cursor) (name, value string, err error) {
	var n xattrName
	if err := c.decode(&n); err != nil {
		return "", "", err
	}
	prefix := n.Prefix &^ outOfLine
	if int(prefix) >= len(prefixes) {
		return "", "", report.Errorf(report.Unsupported, "a name of kind %d", prefix)
	}
	rest, err := c.text(im, uint32(n.Size), maxName)
	if err != nil {
		return "", "", err
	}
	var size uint32
	if err := c.decode(&size); err != nil {
		return "", "", err
	}
	if n.Prefix&outOfLine != 0 {
		var ref uint64
		if err := c.decode(&ref); err != nil {
			return "", "", err
		}
		c = x.at(im, ref)
		if err := c.decode(&size); err != nil {
			return "", "", err
		}
	}
	value, err = c.text(im, size, maxXattrValue)
	return prefixes[prefix] + rest, value, err
}

// text reads n bytes, of at most most.
func (c *cursor) text(im *image, n, most uint32) (string, error) {
	if n > most {
		return "", report.Errorf(report.Invalid, "%d bytes, of at most %d", n, most)
	}
	if err := im.take(1, int(n)+32); err != nil {
		return "", err
	}
	p := make([]byte, n)
	err := c.read(p)
	return string(p), err
}

// xattrWriter collects the sets of an image that is written; equal ones become one.
type xattrWriter struct {
	pairs blocks.Table
	sets  []xattrSet
	known map[string]uint32
}

// add is the set of n's attributes, or none.
func (w *xattrWriter) add(n *tree.Node) (uint32, error) {
	if len(n.Xattrs) == 0 {
		return none, nil
	}
	var p []byte
	for _, name := range slices.Sorted(maps.Keys(n.Xattrs)) {
		value := n.Xattrs[name]
		prefix := slices.IndexFunc(prefixes[:], func(s string) bool { return strings.HasPrefix(name, s) })
		if prefix < 0 {
			return none, report.Errorf(report.Unsupported, "extended attribute %q; squashfs holds those that begin with %q", name, prefixes)
		}
		if rest := name[len(prefixes[prefix]):]; rest == "" || len(name) > maxName || len(value) > maxXattrValue {
			return none, report.Errorf(report.Unsupported, "extended attribute %.80q, a name of %d bytes and a value of %d; Linux knows 255 and %d",
				name, len(name), len(value), maxXattrValue)
		}
		rest := name[len(prefixes[prefix]):]
		p = append(blocks.AppendLE(p, xattrName{uint16(prefix), uint16(len(rest))}), rest...)
		p = append(binary.LittleEndian.AppendUint32(p, uint32(len(value))), value...)
	}
	id, ok := w.known[string(p)]
	if !ok {
		id = uint32(len(w.sets))
		w.sets = append(w.sets, xattrSet{w.pairs.Position(), uint32(len(n.Xattrs)), uint32(len(p))})
		w.known[string(p)] = id
		w.pairs.Write(p)
	}
	return id, nil
}

// place appends the tables to a and returns the offset that the superblock wants.
func (w *xattrWriter) place(a *assembly) (at uint64) {
	if len(w.sets) == 0 {
		return noTable
	}
	pairs := a.plain("extended attributes", &w.pairs)
	sets := blocks.Table{Encoder: w.pairs.Encoder}
	sets.Write(blocks.AppendLE(nil, w.sets))
	return a.indexed("extended attribute sets", &sets, blocks.AppendLE(nil, xattrHead{Pairs: pairs, Count: uint32(len(w.sets))}))
}
