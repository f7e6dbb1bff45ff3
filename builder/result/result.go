// Package result is what `bootwright plan` says of an artifact that nobody has written yet: which content is at hand, and what lies where
// in which file.
package result

import (
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
)

// Result describes an artifact without building it.
type Result struct {
	Digest blob.Digest `json:"digest" yaml:"digest"` // of the plan
	Pieces []Piece     `json:"pieces" yaml:"pieces"`
	Files  []File      `json:"files" yaml:"files"`
}

// Piece is content that a build needs: an input, or what an initramfs holds compressed.
type Piece struct {
	Name  string `json:"name" yaml:"name"` // of the input, or "initramfs/" or "extension/" and what is compressed
	State State  `json:"state" yaml:"state"`
}

// State says what it takes to have a piece.
type State string

// The states. The first three cost a build nothing.
const (
	Builtin  State = "builtin"  // bootwright carries it
	InPlace  State = "in-place" // it is read where it lies: a layout, a folder, a file of the profile
	Cached   State = "cached"   // it is in the store
	Download State = "download" // it has to be copied into the store, from a registry or an archive
	Compress State = "compress" // it has to be compressed into the store
)

// CachedUnless is the state of what the store was asked for, and answered err.
func CachedUnless(err error, otherwise State) State {
	if err != nil {
		return otherwise
	}
	return Cached
}

// File is one output file and its extent map.
type File struct {
	Name    string   `json:"name" yaml:"name"`
	Size    int64    `json:"size" yaml:"size"` // bytes
	Extents []Extent `json:"extents" yaml:"extents"`
}

// Extent is a run of bytes; what is not listed is zero.
type Extent struct {
	Offset int64  `json:"offset" yaml:"offset"`
	Size   int64  `json:"size" yaml:"size"`
	Name   string `json:"name" yaml:"name"`
}

// Describe is the file of that name, whose content is not read.
func Describe(name string, content blob.Blob) File {
	f := File{Name: name, Size: content.Size()}
	for _, e := range blob.Map(content) {
		f.Extents = append(f.Extents, Extent{e.Offset, e.Blob.Size(), strings.TrimPrefix(e.Name, "/")})
	}
	return f
}
