package fat

import (
	"encoding/binary"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Disk is a volume that can be changed.
type Disk interface {
	blob.Blob
	io.WriterAt
}

// Reclaim frees the clusters that the FAT says are in use and that no entry of a folder leads to, and returns their bytes. A power cut leaves such
// where a file was written or removed. What an entry leads to stays, however long the file is said to be and whoever else it leads to. Nobody may
// use the volume meanwhile. It can end anywhere: each entry of the FAT counts for itself.
//
// The error has kind NotFound where there is no FAT volume, Unsupported for FAT12, and Invalid where a folder is damaged; then nothing is freed.
// The free space information of FAT32 stays as it is: it is a hint.
func Reclaim(d Disk) (freed int64, err error) {
	h, err := readHead(d)
	if err != nil {
		return 0, err
	}
	if h.bits == 12 {
		return 0, report.Errorf(report.Unsupported, "FAT12: clusters are not reclaimed")
	}
	r := &reader{b: d, g: h.geometry, seen: make([]uint64, (h.clusters+firstCluster)/64+1)}
	for queue := []folderRef{{path: ".", first: h.root, fixed: h.bits != 32}}; len(queue) > 0; queue = queue[1:] {
		more, err := r.reachFolder(queue[0])
		if err != nil {
			return 0, err
		}
		queue = append(queue, more...)
	}
	clusters, err := r.freeOthers(d)
	return clusters * h.cluster, err
}

// reachFolder marks the clusters of a folder and of the files in it, and returns the folders in it.
func (r *reader) reachFolder(f folderRef) (folders []folderRef, err error) {
	p, err := r.slots(f)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "FAT folder at cluster %d: %w", f.first, err)
	}
	for ; len(p) >= slotSize && p[0] != endOfSlots; p = p[slotSize:] {
		if p[0] == freeEntry || p[11]&attrLongMask == attrLong || p[11]&attrLabel != 0 {
			continue
		}
		e := decodeEntry(p, r.g.bits)
		switch {
		case e.name == pack(".", "") || e.name == pack("..", ""):
		case e.attr&attrFolder != 0:
			folders = append(folders, folderRef{first: e.first})
		default:
			if err := r.reach(e.first); err != nil {
				return nil, err
			}
		}
	}
	return folders, nil
}

// reach marks what can be reached from cluster c.
func (r *reader) reach(c int64) (err error) {
	for err == nil && c >= firstCluster && c < r.g.clusters+firstCluster && r.seen[c/64]&(1<<(c%64)) == 0 {
		r.seen[c/64] |= 1 << (c % 64)
		c, err = r.next(c)
	}
	return err
}

// freeOthers frees what is not marked, in all copies of the FAT, and counts it.
func (r *reader) freeOthers(d Disk) (freed int64, err error) {
	const page = 4 << 10
	width := int64(r.g.bits) / 8
	end := (r.g.clusters + firstCluster) * width
	for at := int64(0); at < end; at += page {
		p := make([]byte, min(page, end-at))
		if err := blob.ReadFull(d, p, r.g.fatStart()+at); err != nil {
			return freed, err
		}
		n := r.freeIn(p, at/width)
		for i := int64(0); n > 0 && i < r.g.fats; i++ {
			if _, err := d.WriteAt(p, r.g.fatStart()+i*r.g.fatSize*r.g.sector+at); err != nil {
				return freed, err
			}
		}
		freed += n
	}
	return freed, nil
}

// freeIn frees what is not marked in a part of the FAT that begins with cluster first, but for what marks bad clusters.
func (r *reader) freeIn(p []byte, first int64) (n int64) {
	le := binary.LittleEndian
	width := r.g.bits / 8
	for c := first; len(p) >= width; c, p = c+1, p[width:] {
		if c < firstCluster || r.seen[c/64]&(1<<(c%64)) != 0 {
			continue
		}
		switch r.g.bits {
		case 16:
			if v := le.Uint16(p); v != 0 && v != 0xFFF7 {
				le.PutUint16(p, 0)
				n++
			}
		case 32:
			if v := le.Uint32(p) & 0x0FFFFFFF; v != 0 && v != 0x0FFFFFF7 {
				le.PutUint32(p, le.Uint32(p)&^0x0FFFFFFF) // the highest bits are not part of it
				n++
			}
		}
	}
	return n
}
