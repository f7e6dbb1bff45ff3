// Package extlayers is the list of system extensions in an image: the file extensions.yaml at the root of the initramfs,
// which the machine shows as /etc/extensions.yaml. The builder writes it and the node mounts by it. Field names are those of
// the list in the field.
package extlayers

import (
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Where the list is: in the initramfs, and on the machine.
const (
	File        = "extensions.yaml"
	MachineFile = "etc/extensions.yaml"
)

// List is every layer over the base's root image, the lowest first: of two that have the same file the later one's is seen.
type List struct {
	Layers []Layer `json:"layers" yaml:"layers"`
}

// Layer is one read-only squashfs image.
type Layer struct {
	Image    string   `json:"image" yaml:"image"` // file at the root of the initramfs
	Metadata Metadata `json:"metadata" yaml:"metadata"`
}

// Metadata is what a machine reports of an extension. Name and version are required.
type Metadata struct {
	Name          string        `json:"name" yaml:"name"`
	Version       string        `json:"version" yaml:"version"`
	Author        string        `json:"author,omitempty" yaml:"author,omitempty"`
	Description   string        `json:"description,omitempty" yaml:"description,omitempty"`
	Compatibility Compatibility `json:"compatibility" yaml:"compatibility,omitempty"`
	ExtraInfo     string        `json:"extraInfo,omitempty" yaml:"extraInfo,omitempty"`
}

// Compatibility says where an extension works.
type Compatibility struct {
	Talos Talos `json:"talos" yaml:"talos,omitempty"`
}

// Talos is the range of versions of the system (extensions/semver); empty is any.
type Talos struct {
	Version string `json:"version,omitempty" yaml:"version,omitempty"`
}

// maxBytes bounds a list; one of 250 extensions with long descriptions has less.
const maxBytes = 4 << 20

// Encode is the list as YAML.
func (l List) Encode() ([]byte, error) { return yaml.Dump(l, yaml.WithLineWidth(-1)) }

// Parse reads a list; name is what messages call it. The error is of kind Invalid.
func Parse(name string, data []byte) (*List, error) {
	doc, err := yamldoc.Parse(name, data, yamldoc.Options{MaxBytes: maxBytes})
	if err != nil {
		return nil, err
	}
	var l List
	if err := doc.Decode(&l); err != nil {
		return nil, err
	}
	var fs report.Findings
	seen := map[string]bool{}
	for i, layer := range l.Layers {
		if image := layer.Image; image == "" || image == "." || image == ".." || path.Base(image) != image || seen[image] {
			fs = append(fs, doc.Finding(fmt.Sprintf("layers[%d].image", i), fmt.Sprintf("%.100q is no file of its own at the root", image), ""))
		}
		seen[layer.Image] = true
	}
	return &l, fs.Err()
}

// maxName is how much of an extension's name its image is called by, in bytes.
const maxName = 40

// ImageName is what the image of layer number i is called, i from 0: the name is for people, the number keeps the order even
// where somebody sorts.
func ImageName(i int, name string) string {
	word := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
	return fmt.Sprintf("%03d.%s.sqsh", i, word[:min(len(word), maxName)])
}
