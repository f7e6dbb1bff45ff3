package bake

import (
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Archive is the initrd that brings machine configurations to where systemd-stub puts those beside a UKI, in three
// pieces: what the kernel unpacks is all of them, and the middle one is the area alone.
type Archive struct {
	Before, Area, Behind blob.Blob
	start                int64 // how many zeros are before the first record
}

// NewArchive is the archive of area. It begins with zeros, which the kernel skips, so that the area is at AreaAt.
func NewArchive(area blob.Blob, epoch time.Time) (*Archive, error) {
	var t tree.Tree
	t.File(configarea.Path, 0o400, area)
	archive, err := cpio.Format(&t, cpio.Options{Epoch: epoch})
	if err != nil {
		return nil, err
	}
	at, ok := blob.Locate(archive, area)
	end := at + area.Size()
	if !ok || at > AreaAt {
		return nil, report.Errorf(report.Internal, "the archive of machine configurations has them at %d", at)
	}
	before := blob.Concat(blob.Part("padding", blob.Zeros(AreaAt-at)), blob.Part("headers", blob.Slice(archive, 0, at)))
	return &Archive{before, area, blob.Slice(archive, end, archive.Size()-end), AreaAt - at}, nil
}

// Whole is all of the archive.
func (a *Archive) Whole() *blob.Image {
	return blob.Concat(blob.Part("before", a.Before), blob.Part("area", a.Area), blob.Part("behind", a.Behind))
}

// Plain is the archive without the zeros before it.
func (a *Archive) Plain() blob.Blob {
	whole := a.Whole()
	return blob.Slice(whole, a.start, whole.Size()-a.start)
}
