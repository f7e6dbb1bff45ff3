package qcow2

import (
	"encoding/binary"
	"slices"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// maxTables bounds what Read keeps in memory, in bytes.
const maxTables = 32 << 20

// Read is the disk that the image b holds. It reads the tables, in memory of 8 bytes a cluster that is used, and no data. An
// image that is damaged is Invalid; one that uses what this package leaves out is Unsupported.
func Read(b blob.Blob) (*blob.Image, error) {
	r := &reader{image: b}
	if err := r.header(); err != nil {
		return nil, err
	}
	l1, err := r.table(r.l1At, r.l1)
	if err != nil {
		return nil, err
	}
	var extents []blob.Extent
	for i, entry := range l1 {
		if entry&offsetMask == 0 {
			continue
		}
		l2, err := r.table(int64(entry&offsetMask), r.cluster/8)
		if err != nil {
			return nil, err
		}
		if extents, err = r.clusters(extents, int64(i)*r.cluster/8, l2); err != nil {
			return nil, err
		}
	}
	return blob.NewImage(r.size, extents...)
}

type reader struct {
	image         blob.Blob
	cluster, size int64
	l1, l1At      int64
	kept          int64 // bytes of tables
}

func (r *reader) header() error {
	var p [headerLength]byte
	if err := blob.ReadFull(r.image, p[:], 0); err != nil || binary.BigEndian.Uint32(p[:]) != magic {
		return report.Errorf(report.NotFound, "not a qcow2 image: it starts with % x", p[:8])
	}
	u32 := func(at int) uint32 { return binary.BigEndian.Uint32(p[at:]) }
	u64 := func(at int) uint64 { return binary.BigEndian.Uint64(p[at:]) }
	bits := u32(20)
	switch {
	case u32(4) != 2 && u32(4) != version:
		return report.Errorf(report.Unsupported, "qcow2: version %d", u32(4))
	case bits < 9 || bits > 21:
		return report.Errorf(report.Invalid, "qcow2: clusters of 2^%d bytes", bits)
	case u64(8) != 0:
		return report.Errorf(report.Unsupported, "qcow2: the image stands on another file; flatten it first (qemu-img convert)")
	case u32(32) != 0:
		return report.Errorf(report.Unsupported, "qcow2: the image is encrypted")
	case u32(4) == version && u64(72)&^1 != 0: // bit 0 says that the counts need a repair
		return report.Errorf(report.Unsupported, "qcow2: incompatible features %#x", u64(72))
	case u64(24) > maxDisk:
		return report.Errorf(report.Unsupported, "qcow2: a disk of %d bytes", u64(24))
	}
	r.cluster, r.size, r.l1, r.l1At = 1<<bits, int64(u64(24)), int64(u32(36)), int64(u64(40)&offsetMask)
	if need := ceil(ceil(r.size, r.cluster), r.cluster/8); r.l1 < need {
		return report.Errorf(report.Invalid, "qcow2: a first-level table of %d entries for a disk that needs %d", r.l1, need)
	}
	return nil
}

// table is n entries at the offset at.
func (r *reader) table(at, n int64) ([]uint64, error) {
	if r.kept += 8 * n; r.kept > maxTables || at < 0 || at > r.image.Size()-8*n {
		return nil, report.Errorf(report.Invalid, "qcow2: a table of %d entries at %d, in an image of %d bytes", n, at, r.image.Size())
	}
	p := make([]byte, 8*n)
	if err := blob.ReadFull(r.image, p, at); err != nil {
		return nil, err
	}
	out := make([]uint64, n)
	for i := range out {
		out[i] = binary.BigEndian.Uint64(p[8*i:])
	}
	return out, nil
}

// clusters adds what a second-level table says of the disk's clusters from first on.
func (r *reader) clusters(out []blob.Extent, first int64, l2 []uint64) ([]blob.Extent, error) {
	const compressed, zeros = 1 << 62, 1
	for i, entry := range l2 {
		off, at := (first+int64(i))*r.cluster, int64(entry&offsetMask)
		if entry&compressed != 0 {
			return nil, report.Errorf(report.Unsupported, "qcow2: compressed clusters; convert the image (qemu-img convert)")
		}
		if at == 0 || entry&zeros != 0 || off >= r.size {
			continue
		}
		n := min(r.cluster, r.size-off)
		if at > r.image.Size()-n {
			return nil, report.Errorf(report.Invalid, "qcow2: the cluster for byte %d of the disk is at %d, in an image of %d bytes", off, at, r.image.Size())
		}
		if k := len(out); k > 0 && out[k-1].End() == off {
			if before, ok := blob.Offset(r.image, out[k-1].Blob); ok && before+out[k-1].Blob.Size() == at {
				out[k-1].Blob = blob.Slice(r.image, before, out[k-1].Blob.Size()+n)
				continue
			}
		}
		out = append(out, blob.Extent{Name: "data", Offset: off, Blob: blob.Slice(r.image, at, n)})
	}
	return slices.Clip(out), nil
}
