package extend

import (
	"context"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// Encoder names what makes images of layers: the same layers and the same Encoder give the same bytes.
const Encoder = squashfs.Encoder

// sharedLayer is what the layer on top of all extensions is called, as in the field.
const sharedLayer = "modules.dep"

// options are those of all images of layers. No time of the plan is among them: a layer serves many plans.
func options() squashfs.WriteOptions { return squashfs.WriteOptions{} }

// Key is what a Spooler is asked for: the compressed contents of the layer that d names.
func Key(d blob.Digest) string { return "extension layer " + string(d) + " " + Encoder }

// Initramfs is what the extensions add to the initramfs. It compresses what spool does not hold yet.
func (x *Result) Initramfs(ctx context.Context, spool initramfs.Spooler) (*initramfs.Extensions, error) {
	out := &initramfs.Extensions{Microcode: x.composed.Microcode, Early: x.composed.Early}
	add := func(m extlayers.Metadata, t *tree.Tree, d blob.Digest) error {
		content, err := image(ctx, spool, t, d)
		if err != nil {
			return fmt.Errorf("layer of extension %s: %w", m.Name, err)
		}
		l := extlayers.Layer{Image: extlayers.ImageName(len(out.Layers), m.Name), Metadata: m}
		out.Layers = append(out.Layers, initramfs.Layer{Layer: l, Content: content})
		return nil
	}
	for i, l := range x.composed.Layers {
		if err := add(l.Metadata, l.Tree, x.Rows[i].Layer); err != nil {
			return nil, err
		}
	}
	if x.composed.Shared == nil {
		return out, nil
	}
	return out, add(extlayers.Metadata{
		Name: sharedLayer, Version: x.release, Author: "bootwright", Description: "what is made of all extensions together",
	}, x.composed.Shared, x.shared)
}

// image is the squashfs image of t, which d names.
func image(ctx context.Context, spool initramfs.Spooler, t *tree.Tree, d blob.Digest) (*blob.Image, error) {
	data, err := spool.Spool(ctx, Key(d), func(ctx context.Context, w io.Writer) error {
		return squashfs.Compress(ctx, w, t, options())
	})
	if err != nil {
		return nil, err
	}
	return squashfs.Format(t, data, options())
}
