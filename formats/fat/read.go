package fat

import (
	"encoding/binary"
	"io/fs"
	"path"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Volume is what Read found.
type Volume struct {
	Bits        int    // of the FAT: 12, 16 or 32
	Label       string // of the root folder, else of the boot sector
	Serial      uint32
	SectorSize  int
	ClusterSize int
	Size        int64 // bytes, of the volume
	Free        int64 // bytes, in clusters that the FAT says are free
	Tree        *tree.Tree
}

// Limits on what a volume can make Read remember, far above what boot volumes hold.
const (
	maxEntries   = 1 << 18
	maxPathBytes = 16 << 20
	maxRuns      = 1 << 20
	maxDepth     = 64
)

// Read reads the whole tree of the volume at the start of b; contents refer to b. Where there is no FAT volume the error
// has kind NotFound; where one is damaged (chains that leave the volume, end early, loop or meet; names that cannot be),
// Invalid, with the path and the cluster.
func Read(b blob.Blob) (*Volume, error) { return read(b, nil) }

// Salvage is Read for a volume whose files may be damaged, as after a power cut: those whose chain is are left out, and damaged is told of them.
// Other errors are those of Read.
func Salvage(b blob.Blob, damaged func(path string, err error)) (*Volume, error) {
	return read(b, damaged)
}

func read(b blob.Blob, damaged func(path string, err error)) (*Volume, error) {
	h, err := readHead(b)
	if err != nil {
		return nil, err
	}
	r := &reader{b: b, g: h.geometry, seen: make([]uint64, (h.clusters+firstCluster)/64+1), tree: &tree.Tree{}, damaged: damaged}
	root := folderRef{path: ".", first: h.root, fixed: h.bits != 32}
	for queue := []folderRef{root}; len(queue) > 0; queue = queue[1:] {
		more, err := r.folder(queue[0])
		if err != nil {
			return nil, report.Errorf(report.KindOf(err), "FAT folder %s: %w", queue[0].path, err)
		}
		queue = append(queue, more...)
	}
	free, err := r.free()
	if err != nil {
		return nil, err
	}
	if r.label != "" {
		h.label = r.label
	}
	return &Volume{
		Bits: h.bits, Label: h.label, Serial: h.serial, SectorSize: int(h.sector), ClusterSize: int(h.cluster),
		Size: h.size, Free: free * h.cluster, Tree: r.tree,
	}, nil
}

type reader struct {
	b     blob.Blob
	g     geometry
	seen  []uint64 // a bit for each cluster that a chain has reached
	tree  *tree.Tree
	label string

	damaged func(path string, err error) // nil where a damaged file is an error

	page   []byte // of the first FAT
	pageAt int64

	runs, pathBytes int // so far
}

// folderRef is a folder still to be read.
type folderRef struct {
	path  string
	first int64
	fixed bool // the root of FAT12 and FAT16
}

// run is consecutive clusters of a chain.
type run struct{ first, count int64 }

// next is the FAT's entry for cluster c, which is within the volume.
func (r *reader) next(c int64) (int64, error) {
	const pageSize = 64 << 10
	at := r.g.fatStart() + c*int64(r.g.bits)/8
	if at < r.pageAt || at+4 > r.pageAt+int64(len(r.page)) {
		r.pageAt = at &^ 511
		r.page = make([]byte, min(pageSize, r.b.Size()-r.pageAt))
		if err := blob.ReadFull(r.b, r.page, r.pageAt); err != nil {
			return 0, err
		}
	}
	p := r.page[at-r.pageAt:]
	switch r.g.bits {
	case 12:
		return int64(binary.LittleEndian.Uint16(p) >> (c % 2 * 4) & 0xFFF), nil
	case 16:
		return int64(binary.LittleEndian.Uint16(p)), nil
	}
	return int64(binary.LittleEndian.Uint32(p) & 0x0FFFFFFF), nil
}

// chain is the runs of the first want clusters of the chain from cluster c; with want < 0 of all of them, at most limit.
func (r *reader) chain(c, want, limit int64) ([]run, error) {
	var runs []run
	bad := int64(1)<<min(r.g.bits, 28) - 9 // marks a bad cluster; all above it end a chain
	for n := int64(0); want < 0 || n < want; n++ {
		switch {
		case n > 0 && c > bad:
			if want < 0 {
				return runs, nil
			}
			return nil, report.Errorf(report.Invalid, "its clusters end after %d of %d", n, want)
		case c < firstCluster || c >= r.g.clusters+firstCluster:
			return nil, report.Errorf(report.Invalid, "cluster %d is not one of the volume's %d", c, r.g.clusters)
		case r.seen[c/64]&(1<<(c%64)) != 0:
			return nil, report.Errorf(report.Invalid, "cluster %d is in use twice: its chain loops or meets another", c)
		case want < 0 && n == limit:
			return nil, report.Errorf(report.Invalid, "more than %d clusters", limit)
		}
		r.seen[c/64] |= 1 << (c % 64)
		if k := len(runs) - 1; k >= 0 && runs[k].first+runs[k].count == c {
			runs[k].count++
		} else if r.runs++; r.runs > maxRuns {
			return nil, report.Errorf(report.Unsupported, "the files on this volume are in more than %d pieces", maxRuns)
		} else {
			runs = append(runs, run{c, 1})
		}
		var err error
		if c, err = r.next(c); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

// content is the first size bytes of the clusters in runs.
func (r *reader) content(runs []run, size int64) blob.Blob {
	parts := make([]blob.Extent, len(runs))
	for i, s := range runs {
		n := min(s.count*r.g.cluster, size)
		parts[i] = blob.Part("", blob.Slice(r.b, r.g.offset(s.first), n))
		size -= n
	}
	if len(parts) == 1 {
		return parts[0].Blob
	}
	return blob.Concat(parts...)
}

// folder adds what is in a folder to the tree and returns the folders among it.
func (r *reader) folder(f folderRef) ([]folderRef, error) {
	p, err := r.slots(f)
	if err != nil {
		return nil, err
	}
	var folders []folderRef
	var long longName
	for ; len(p) >= slotSize && p[0] != endOfSlots; p = p[slotSize:] {
		switch {
		case p[0] == freeEntry:
			long.count = 0
		case p[11]&attrLongMask == attrLong:
			long.add(p[:slotSize])
		default:
			e := decodeEntry(p, r.g.bits)
			sub, err := r.entry(f, e, long.take(e.name))
			if err != nil {
				return nil, err
			}
			if sub.path != "" {
				folders = append(folders, sub)
			}
		}
	}
	return folders, nil
}

// slots are all entries of a folder.
func (r *reader) slots(f folderRef) ([]byte, error) {
	slots := blob.Slice(r.b, r.g.rootStart(), r.g.rootSlots*slotSize)
	if !f.fixed {
		runs, err := r.chain(f.first, -1, r.g.count(maxSlots*slotSize))
		if err != nil {
			return nil, err
		}
		slots = r.content(runs, maxSlots*slotSize)
	}
	return blob.ReadAll(slots, maxSlots*slotSize)
}

// entry adds one entry of folder f to the tree; for a folder it returns where to go on.
func (r *reader) entry(f folderRef, e entry, name string) (folderRef, error) {
	if e.attr&attrLabel != 0 {
		if f.path == "." && r.label == "" {
			r.label = decodeOEM(e.name[:])
		}
		return folderRef{}, nil
	}
	if e.name == pack(".", "") || e.name == pack("..", "") {
		return folderRef{}, nil
	}
	if name == "" {
		name = e.name.text(e.lower)
	}
	n := tree.Node{Path: path.Join(f.path, name), Mode: 0o644, ModTime: e.modTime()}
	if e.attr&attrReadOnly != 0 {
		n.Mode = 0o444
	}
	if err := r.checkEntry(name, n.Path); err != nil {
		return folderRef{}, err
	}
	sub := folderRef{}
	if e.attr&attrFolder != 0 {
		n.Mode = fs.ModeDir | 0o755
		sub = folderRef{path: n.Path, first: e.first}
	} else if e.size > 0 {
		runs, err := r.chain(e.first, r.g.count(e.size), 0)
		if err != nil && r.damaged != nil && report.KindOf(err) == report.Invalid {
			r.damaged(n.Path, err)
			return folderRef{}, nil
		}
		if err != nil {
			return folderRef{}, report.Errorf(report.KindOf(err), "%q: %w", name, err)
		}
		n.Content = r.content(runs, e.size)
	}
	return sub, r.tree.Add(n)
}

// checkEntry refuses names that could lead out of the folder and volumes that are made to exhaust memory.
func (r *reader) checkEntry(name, p string) error {
	r.pathBytes += len(p)
	switch {
	case name == "." || name == ".." || name == "" || strings.ContainsAny(name, "/\x00"):
		return report.Errorf(report.Invalid, "%q cannot be a name", name)
	case r.tree.Get(p) != nil:
		return report.Errorf(report.Invalid, "%q is there twice", name)
	case strings.Count(p, "/") >= maxDepth:
		return report.Errorf(report.Unsupported, "folders more than %d deep", maxDepth)
	case r.tree.Len() >= maxEntries || r.pathBytes > maxPathBytes:
		return report.Errorf(report.Unsupported, "more than %d files, or their paths are longer than %d bytes together", maxEntries, maxPathBytes)
	}
	return nil
}

// free counts the clusters that the FAT says are free.
func (r *reader) free() (int64, error) {
	var n int64
	for c := int64(firstCluster); c < r.g.clusters+firstCluster; c++ {
		next, err := r.next(c)
		if err != nil {
			return 0, err
		}
		if next == 0 {
			n++
		}
	}
	return n, nil
}
