package initramfs

import (
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// Extensions are what system extensions add (extensions/compose).
type Extensions struct {
	Microcode *tree.Tree // files that the kernel's early loader knows by their paths; nil for none
	Early     *tree.Tree // firmware for what is built into the kernel; nil for none
	Layers    []Layer    // over the root image, the lowest first
}

// Layer is a squashfs image and what is said of it.
type Layer struct {
	extlayers.Layer
	Content blob.Blob
}

// microcode are archives of one file each, which stands where Intel's processors want it: at a multiple of 16 bytes (SDM
// volume 3, 10.11.6). Old kernels hand it to them where it lies.
func (e *Extensions) microcode() ([]piece, error) {
	if e == nil || e.Microcode == nil {
		return nil, nil
	}
	var out []piece
	for _, n := range e.Microcode.Nodes() {
		if !n.Mode.IsRegular() {
			continue
		}
		var t tree.Tree
		t.File("early_cpio", 0o444, blob.String(earlyMark))
		t.File(n.Path, n.Mode, n.Open())
		a, err := cpio.Format(&t, cpio.Options{})
		if err != nil {
			return nil, err
		}
		out = append(out, piece{"microcode/" + n.Name(), a, contentAt(a, n.Open()), 16})
	}
	return out, nil
}

// earlyMark is what dracut's file of that name is for, to tell such an archive. It is as long as the first archive needs to be
// right without zeros before it, by which tools would not know it.
const earlyMark = "earlier\n"

// pieces are the layers, an archive each, then one of the list of them and of early firmware.
func (e *Extensions) pieces() ([]piece, error) {
	if e == nil || len(e.Layers) == 0 {
		return nil, nil
	}
	var out []piece
	var list extlayers.List
	for _, l := range e.Layers {
		a, err := archive(l.Image, 0o444, l.Content)
		if err != nil {
			return nil, err
		}
		out = append(out, piece{"layer/" + l.Image, a, contentAt(a, l.Content), page})
		list.Layers = append(list.Layers, l.Layer)
	}
	text, err := list.Encode()
	if err != nil {
		return nil, err
	}
	var t tree.Tree
	t.File(extlayers.File, 0o444, blob.Bytes(text))
	if e.Early != nil {
		for _, n := range e.Early.Nodes() {
			if err := t.Add(*n); err != nil {
				return nil, err
			}
		}
	}
	a, err := cpio.Format(&t, cpio.Options{})
	return append(out, piece{"extensions", a, 0, 0}), err
}
