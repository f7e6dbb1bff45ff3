package extension

import (
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Facts are what the base in im, whose manifest is m, says to extensions. An error is about its root file system, and leaves
// what can be known without it.
func Facts(im *fetch.Image, m *base.Manifest) (extensions.Facts, error) {
	for _, l := range im.Layers {
		if l.Title == base.Root {
			return RootFacts(l.Blob, m.Arch, m.KernelVersion)
		}
	}
	return extensions.Facts{Arch: m.Arch, Release: m.KernelVersion}, report.Errorf(report.NotFound, "there is no part %s", base.Root)
}

// RootFacts are what a base's root image says, for that architecture and kernel release. Errors are as those of Facts.
func RootFacts(image blob.Blob, arch, release string) (extensions.Facts, error) {
	f := extensions.Facts{Arch: arch, Release: release}
	root, err := squashfs.Read(image, squashfs.Options{})
	if err != nil {
		return f, fmt.Errorf("%s: %w", base.Root, err)
	}
	f.Root = root
	f.Modules, err = kmod.ReadIndex(files{root, path.Join("usr/lib/modules", release)})
	return f, err
}

// files is a folder of a tree, for those who read its files.
type files struct {
	tree   *tree.Tree
	folder string
}

func (f files) Open(name string) (fs.File, error) {
	n := f.tree.Get(path.Join(f.folder, name))
	if n == nil || !n.Mode.IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return file{blob.Reader(n.Open())}, nil
}

type file struct{ *io.SectionReader }

func (file) Close() error { return nil }

func (file) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
