package rootfs

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

// ReadExtensions reads which system extensions the initramfs holds, and how they are reported. An image without any has no
// list.
func (r *Root) ReadExtensions() ([]bootreport.Extension, error) {
	text, err := r.M.ReadFile("/" + extlayers.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list, err := extlayers.Parse(extlayers.File, text)
	if err != nil {
		return nil, err
	}
	r.Extensions = list.Layers
	var out []bootreport.Extension
	for _, l := range list.Layers {
		said := l.Metadata
		said.Description, said.ExtraInfo = short(said.Description), short(said.ExtraInfo)
		out = append(out, bootreport.Extension{ID: extensionID(l), Image: l.Image, Metadata: said})
	}
	return out, nil
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
	id := LayerName(l.Image)
	if _, err := strconv.Atoi(id); err == nil {
		id += "." + l.Metadata.Name
	}
	return id
}

// mountExtensions mounts the images of extensions and returns where, the uppermost first. The machine comes up without one
// that is missing or damaged.
func (r *Root) mountExtensions() (dirs []string) {
	for i, l := range r.Extensions {
		dir := path.Join(Layers, strconv.Itoa(i))
		err := fmt.Errorf("there are more than %d extensions", maxLayers)
		if i < maxLayers {
			err = r.mountImage("/"+l.Image, dir)
		}
		if err == nil {
			dirs = append([]string{dir}, dirs...)
			continue
		}
		r.Missing(i, fmt.Errorf("extension %s %s is left out: %w", l.Metadata.Name, l.Metadata.Version, err))
	}
	return dirs
}

// keepExtensions puts the list where programs look for it, into the root that is about to be switched to.
func (r *Root) keepExtensions() error {
	if r.Extensions == nil {
		return nil
	}
	text, err := extlayers.List{Layers: r.Extensions}.Encode()
	if err != nil {
		return err
	}
	return r.M.WriteFile(path.Join(Dir, extlayers.MachineFile), text, 0o444)
}

// LayerName is what an image is called in the report.
func LayerName(image string) string { return strings.TrimSuffix(path.Base(image), path.Ext(image)) }
