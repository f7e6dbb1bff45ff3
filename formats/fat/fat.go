// Package fat writes and reads FAT file systems (Microsoft, "FAT: General Overview of On-Disk Format", 1.03; UEFI 2.10,
// section 13.3) with long names. It writes FAT32, and FAT16 where the volume is too small for FAT32; it reads FAT12 too.
//
// A volume is planned, not filled: folders first, then files, each in one run of clusters at an offset that is known
// before a byte is written, contents by reference.
//
// It leaves out writing FAT12, changing a volume in place but for Reclaim, owners, symbolic links, devices, and the flags by which some
// systems store lower-case short names (it reads them; it writes a long name instead).
package fat

import (
	"cmp"
	"math/bits"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Options are for Format; the zero value makes the smallest volume that holds the tree.
type Options struct {
	Size        int64     // of the volume in bytes, a multiple of SectorSize; 0 is the smallest valid one without free space
	Bits        int       // 16 or 32; 0 is 32, and 16 where the volume is too small for that
	ClusterSize int       // bytes, a power of two; 0 is the largest up to 4096 that the type allows, more for huge volumes
	SectorSize  int       // 512 (also 0) or 4096
	Align       int64     // every file begins at a multiple of it, a power of two; 0 is the cluster size. Gaps stay free
	Hidden      uint32    // sectors before the volume: where its partition begins
	Serial      uint32    // volume serial number
	Label       string    // at most 11 capital letters, digits, spaces and marks that a short name may have; "" is none
	Epoch       time.Time // of the label, and of nodes without a time of their own; before 1980 it is 1980
}

// maxAlign keeps the reserved sectors, which take up the slack before the first cluster, far below their 16 bits.
const maxAlign = 1 << 20

// Format lays t out as a FAT volume. Extents of files are named by their paths; folders are one extent, "folders".
func Format(t *tree.Tree, o Options) (*blob.Image, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	p, err := newPlan(t, o)
	if err != nil {
		return nil, err
	}
	g, err := p.choose()
	if err != nil {
		return nil, err
	}
	boot := blob.Bytes(p.bootSectors(g))
	table := blob.Bytes(p.table(g))
	extents := []blob.Extent{
		{Name: "boot sectors", Offset: 0, Blob: boot},
		{Name: "FAT", Offset: g.fatStart(), Blob: table},
		{Name: "second FAT", Offset: g.fatStart() + g.fatSize*g.sector, Blob: table},
	}
	extents = append(extents, p.folderExtents(g)...)
	for _, f := range p.files {
		extents = append(extents, blob.Extent{Name: f.node.Path, Offset: g.offset(f.first), Blob: f.node.Open()})
	}
	return blob.NewImage(g.size, extents...)
}

// complete fills in the defaults and refuses what cannot be.
func (o Options) complete() (Options, error) {
	o.SectorSize = cmp.Or(o.SectorSize, 512)
	o.Align = cmp.Or(o.Align, 1)
	sector := int64(o.SectorSize)
	switch {
	case o.Bits != 0 && o.Bits != 16 && o.Bits != 32:
		return o, report.Errorf(report.Unsupported, "FAT%d is not written; FAT16 and FAT32 are", o.Bits)
	case o.SectorSize != 512 && o.SectorSize != 4096:
		return o, report.Errorf(report.Unsupported, "sectors of %d bytes; they have 512 or 4096", o.SectorSize)
	case o.Size < 0 || o.Size%sector != 0:
		return o, report.Errorf(report.Invalid, "volume of %d bytes: the size is not a multiple of the sector size, %d", o.Size, sector)
	case o.ClusterSize != 0 && (!powerOfTwo(int64(o.ClusterSize)) || o.ClusterSize < o.SectorSize || o.ClusterSize > maxCluster):
		return o, report.Errorf(report.Invalid, "clusters of %d bytes; they have a power of two from %d to %d", o.ClusterSize, sector, maxCluster)
	case !powerOfTwo(o.Align) || o.Align > maxAlign:
		return o, report.Errorf(report.Invalid, "alignment of %d bytes is not a power of two up to %d", o.Align, maxAlign)
	}
	return o, checkLabel(o.Label)
}

func powerOfTwo(n int64) bool { return n > 0 && bits.OnesCount64(uint64(n)) == 1 }
