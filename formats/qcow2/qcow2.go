// Package qcow2 lays out and reads QEMU's disk images of version 3 (QEMU docs/interop/qcow2.rst), whose unused clusters take
// no space. An image is described: computed tables before references into the disk, so that it costs no pass over the disk's
// bytes, can be streamed and be read at any offset.
//
// Left out: compression, encryption, backing files, snapshots, external data files; an image that uses one of these is refused
// when read.
package qcow2

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	magic        = 0x514649fb // "QFI\xfb"
	version      = 3
	headerLength = 104
	refcountBits = 16 // as order 4
	copied       = 1 << 63
	offsetMask   = 0x00fffffffffffe00
)

// Options are for Format; the zero value works.
type Options struct {
	ClusterSize int64 // a power of two from 512 bytes to 2 MiB; 0 is 64 KiB
}

// maxDisk keeps the tables of the smallest clusters within memory.
const maxDisk = 64 << 40

// layout is where things are in an image, in clusters.
type layout struct {
	cluster   int64
	disk      blob.Blob
	runs      []run   // of data, by guest cluster
	guest     int64   // clusters of the disk
	l1        int64   // entries of the first-level table
	tables    []int64 // first-level entries that have a second-level table
	data      int64   // clusters
	refBlocks int64

	refTableAt, refBlocksAt, l1At, l2At, dataAt, end int64
}

// run is n clusters of the disk from the first on.
type run struct{ first, n int64 }

// Format is disk as a qcow2 image. The clusters that lie in known holes of disk (blob.Holes) take no space. Memory: some
// bytes for each cluster that is used. The error is Invalid for an impossible cluster size.
func Format(disk blob.Blob, o Options) (*blob.Image, error) {
	if o.ClusterSize == 0 {
		o.ClusterSize = 64 << 10
	}
	if c := o.ClusterSize; c < 512 || c > 2<<20 || c&(c-1) != 0 {
		return nil, report.Errorf(report.Invalid, "qcow2: cluster size %d; give a power of two from 512 to 2M", c)
	}
	if disk.Size() > maxDisk || (disk.Size()+o.ClusterSize-1)/o.ClusterSize > 1<<30 {
		return nil, report.Errorf(report.Unsupported, "qcow2: a disk of %d bytes needs larger clusters than %d bytes", disk.Size(), o.ClusterSize)
	}
	l := plan(disk, o.ClusterSize)
	return blob.NewImage(l.end*l.cluster, l.extents()...)
}

func plan(disk blob.Blob, cluster int64) *layout {
	l := &layout{cluster: cluster, disk: disk, guest: ceil(disk.Size(), cluster)}
	l.runs = used(disk, cluster)
	perTable := cluster / 8
	l.l1 = max(1, ceil(l.guest, perTable))
	for _, r := range l.runs {
		l.data += r.n
		for t := r.first / perTable; t <= (r.first+r.n-1)/perTable; t++ {
			if n := len(l.tables); n == 0 || l.tables[n-1] != t {
				l.tables = append(l.tables, t)
			}
		}
	}
	l.place()
	return l
}

// place gives everything its clusters. The reference counts count their own clusters too, so their size is found step by step.
func (l *layout) place() {
	perBlock := l.cluster * 8 / refcountBits
	for {
		l.refTableAt = 1
		l.refBlocksAt = l.refTableAt + max(1, ceil(l.refBlocks*8, l.cluster))
		l.l1At = l.refBlocksAt + l.refBlocks
		l.l2At = l.l1At + ceil(l.l1*8, l.cluster)
		l.dataAt = l.l2At + int64(len(l.tables))
		l.end = l.dataAt + l.data
		need := ceil(l.end, perBlock)
		if need == l.refBlocks {
			return
		}
		l.refBlocks = need
	}
}

// used are the clusters that hold more than known zeros.
func used(disk blob.Blob, cluster int64) []run {
	var out []run
	for _, e := range blob.Map(disk) {
		first, end := e.Offset/cluster, ceil(e.End(), cluster)
		if n := len(out); n > 0 && out[n-1].first+out[n-1].n >= first {
			last := &out[n-1]
			last.n = max(last.n, end-last.first)
			continue
		}
		out = append(out, run{first, end - first})
	}
	return out
}

func ceil(n, d int64) int64 { return (n + d - 1) / d }

func (l *layout) extents() []blob.Extent {
	at := func(name string, cluster int64, p []byte) blob.Extent {
		return blob.Extent{Name: name, Offset: cluster * l.cluster, Blob: blob.Bytes(p)}
	}
	out := []blob.Extent{
		at("header", 0, l.header()),
		at("refcount-table", l.refTableAt, words(l.refBlocks, func(i int64) uint64 { return uint64((l.refBlocksAt + i) * l.cluster) })),
		at("refcounts", l.refBlocksAt, l.refcounts()),
		at("l1", l.l1At, l.firstLevel()),
		at("l2", l.l2At, l.secondLevel()),
	}
	next := l.dataAt
	for _, r := range l.runs {
		off := r.first * l.cluster
		size := min(r.n*l.cluster, l.disk.Size()-off)
		out = append(out, blob.Extent{Name: "data", Offset: next * l.cluster, Blob: blob.Slice(l.disk, off, size)})
		next += r.n
	}
	return out
}

// words are n numbers of a table.
func words(n int64, value func(i int64) uint64) []byte {
	p := make([]byte, 0, 8*n)
	for i := range n {
		p = binary.BigEndian.AppendUint64(p, value(i))
	}
	return p
}

func (l *layout) header() []byte {
	p := make([]byte, 0, headerLength+8)
	u32 := func(v int64) { p = binary.BigEndian.AppendUint32(p, uint32(v)) }
	u64 := func(v int64) { p = binary.BigEndian.AppendUint64(p, uint64(v)) }
	u32(magic)
	u32(version)
	u64(0) // backing file
	u32(0)
	u32(log2(l.cluster))
	u64(l.disk.Size())
	u32(0) // encryption
	u32(l.l1)
	u64(l.l1At * l.cluster)
	u64(l.refTableAt * l.cluster)
	u32(l.refBlocksAt - l.refTableAt)
	u32(0) // snapshots
	u64(0)
	u64(0) // incompatible, compatible and automatically cleared features
	u64(0)
	u64(0)
	u32(log2(refcountBits))
	u32(headerLength)
	u64(0) // the end of the header extensions
	return p
}

func log2(n int64) int64 {
	bits := int64(0)
	for ; n > 1; n >>= 1 {
		bits++
	}
	return bits
}

// refcounts say that every cluster is used once.
func (l *layout) refcounts() []byte {
	p := make([]byte, 2*l.end)
	for i := int64(1); i < int64(len(p)); i += 2 {
		p[i] = 1
	}
	return p
}

func (l *layout) firstLevel() []byte {
	p := make([]byte, 8*l.l1)
	for i, t := range l.tables {
		binary.BigEndian.PutUint64(p[8*t:], uint64((l.l2At+int64(i))*l.cluster)|copied)
	}
	return p
}

// secondLevel are the tables one after another, each of one cluster.
func (l *layout) secondLevel() []byte {
	perTable := l.cluster / 8
	p := make([]byte, int64(len(l.tables))*l.cluster)
	table, next := 0, l.dataAt
	for _, r := range l.runs {
		for c := r.first; c < r.first+r.n; c++ {
			for l.tables[table] != c/perTable {
				table++
			}
			binary.BigEndian.PutUint64(p[int64(table)*l.cluster+c%perTable*8:], uint64(next*l.cluster)|copied)
			next++
		}
	}
	return p
}
