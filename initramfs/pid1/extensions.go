package pid1

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// maxLayers is how many images of extensions a root takes: what mount(2) is told fits a page.
const maxLayers = 128

// readExtensions reads which system extensions the initramfs holds. An image without any has no list.
func (b *boot) readExtensions() error {
	text, err := b.m.ReadFile("/" + extlayers.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := extlayers.Parse(extlayers.File, text)
	if err != nil {
		return err
	}
	b.layers = list.Layers
	b.change(func(r *bootreport.Report) {
		for _, l := range list.Layers {
			said := l.Metadata
			said.Description, said.ExtraInfo = short(said.Description), short(said.ExtraInfo)
			r.Extensions = append(r.Extensions, bootreport.Extension{ID: extensionID(l), Image: l.Image, Metadata: said})
		}
	})
	return nil
}

// maxText is how much of a text for people the report has, in bytes; serial lines are slow.
const maxText = 200

func short(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// extensionID is what an extension is called on the machine: its image, which has a number and a name; where it has no more
// than the number, the name is added.
func extensionID(l extlayers.Layer) string {
	id := layerName(l.Image)
	if _, err := strconv.Atoi(id); err == nil {
		id += "." + l.Metadata.Name
	}
	return id
}

// mountExtensions mounts the images of extensions and returns where, the uppermost first. The machine comes up without one
// that is missing or damaged, and says so.
func (b *boot) mountExtensions() (dirs []string) {
	for i, l := range b.layers {
		dir := path.Join(layers, strconv.Itoa(i))
		err := fmt.Errorf("there are more than %d extensions", maxLayers)
		if i < maxLayers {
			err = b.mountImage("/"+l.Image, dir)
		}
		if err == nil {
			dirs = append([]string{dir}, dirs...)
			continue
		}
		err = fmt.Errorf("extension %s %s is left out: %w", l.Metadata.Name, l.Metadata.Version, err)
		b.fault("extensions", err, false)
		b.change(func(r *bootreport.Report) { r.Extensions[i].Error = err.Error() })
		b.say().Warnf("%v", err)
	}
	return dirs
}

// keepExtensions puts the list where programs look for it, into the root that is about to be switched to.
func (b *boot) keepExtensions() error {
	if b.layers == nil {
		return nil
	}
	text, err := extlayers.List{Layers: b.layers}.Encode()
	if err != nil {
		return err
	}
	return b.m.WriteFile(path.Join(newRoot, extlayers.MachineFile), text, 0o444)
}

func layerName(image string) string { return strings.TrimSuffix(path.Base(image), path.Ext(image)) }
