package iso9660

import (
	"cmp"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

// maxExtent is the longest extent of a file: the last multiple of a block below 4 GiB. A longer file has several
// directory records (section 6.5.1, level 3).
const maxExtent = 1<<32 - sector

// file is a regular file and its place.
type file struct {
	node    *tree.Node
	content blob.Blob
	patch   BootEntry // a boot image with a table to write into it has a content of its own
	host    *file     // the file whose content holds this one's, from within on; nil for a file with sectors of its own
	within  int64
	offset  int64 // in the image
}

func (f *file) patched() bool { return f.patch.InfoTable || f.patch.GRUB2Info }

// extents is the number of directory records that the file takes.
func (f *file) extents() int64 { return max(1, (f.content.Size()+maxExtent-1)/maxExtent) }

// maxHosts is how many files with a Blob in common are looked through for another file's content.
const maxHosts = 8

// share finds files whose content is, by the identity of its Blobs, a whole number of sectors into that of a bigger file
// (or of an equal one, earlier in path order).
func share(files []*file) {
	bySize := slices.Clone(files)
	slices.SortStableFunc(bySize, func(a, b *file) int { return cmp.Compare(b.content.Size(), a.content.Size()) })
	hosts := map[blob.Blob][]*file{} // files with sectors of their own, by the Blobs they are made of
	for _, f := range bySize {
		leaves := blob.Map(f.content)
		if f.patched() || len(leaves) == 0 {
			continue
		}
		for _, h := range hosts[leaves[0].Blob] {
			if off, ok := blob.Locate(h.content, f.content); ok && off%sector == 0 {
				f.host, f.within = h, off
				break
			}
		}
		for _, l := range leaves {
			if f.host == nil && len(hosts[l.Blob]) < maxHosts {
				hosts[l.Blob] = append(hosts[l.Blob], f)
			}
		}
	}
}

// placeFiles gives every file its offset, from at on, and returns the end of the last.
func (p *plan) placeFiles(at int64) int64 {
	for _, f := range p.order {
		if f.host != nil || f.content.Size() == 0 {
			continue
		}
		align := int64(sector)
		if f.content.Size() >= p.Align {
			align = p.Align
		}
		f.offset = blob.Align(at, align)
		at = f.offset + f.content.Size()
	}
	for _, f := range p.order {
		if f.host != nil {
			f.offset = f.host.offset + f.within
		}
	}
	return at
}
