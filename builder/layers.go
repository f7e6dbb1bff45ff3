package builder

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

// sharedLayer is what the layer on top of all extensions is called, as in the field.
const sharedLayer = "modules.dep"

// layerOptions are those of all images of layers. No time of the plan is among them: a layer serves many plans.
func layerOptions() squashfs.WriteOptions { return squashfs.WriteOptions{} }

// layerKey is under what the store keeps the compressed contents of the layer that d names.
func layerKey(d blob.Digest) string { return "extension layer " + string(d) + " " + squashfs.Encoder }

// extensions are what the plan's extensions add to the initramfs; nil without any.
func (k *kit) extensions() (*initramfs.Extensions, error) {
	x := k.extended
	if x == nil {
		return nil, nil
	}
	out := &initramfs.Extensions{Microcode: x.Microcode, Early: x.Early}
	add := func(m extlayers.Metadata, t *tree.Tree, d blob.Digest) error {
		image, err := k.layer(t, d)
		if err != nil {
			return fmt.Errorf("layer of extension %s: %w", m.Name, err)
		}
		l := extlayers.Layer{Image: extlayers.ImageName(len(out.Layers), m.Name), Metadata: m}
		out.Layers = append(out.Layers, initramfs.Layer{Layer: l, Content: image})
		return nil
	}
	for i, l := range x.Layers {
		if err := add(l.Metadata, l.Tree, x.rows[i].Layer); err != nil {
			return nil, err
		}
	}
	if x.Shared == nil {
		return out, nil
	}
	return out, add(extlayers.Metadata{
		Name: sharedLayer, Version: k.plan.KernelVersion, Author: "bootwright", Description: "what is made of all extensions together",
	}, x.Shared, x.shared)
}

// layer is the squashfs image of t, which d names.
func (k *kit) layer(t *tree.Tree, d blob.Digest) (*blob.Image, error) {
	data, err := k.spool.Spool(k.ctx, layerKey(d), func(ctx context.Context, w io.Writer) error {
		return squashfs.Compress(ctx, w, t, layerOptions())
	})
	if err != nil {
		return nil, err
	}
	return squashfs.Format(t, data, layerOptions())
}
