package iso9660

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660/record"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// hierarchy is one of the volume's two views of the tree: plain names with Rock Ridge, or Joliet.
type hierarchy struct {
	dirs   []*dir // by level, then by their parents' order, then by identifier: the order of path tables
	tables int64  // first block of the path tables
}

// dir is a folder in one hierarchy.
type dir struct {
	node    *tree.Node
	id      []byte
	parent  *dir // the root is its own
	number  int  // in the path table, from 1
	entries []entry
	block   uint32
	size    int64
	self    []byte // system use fields of "." and of ".."
	up      []byte
	area    record.Area // right behind the records
}

// entry is something in a folder.
type entry struct {
	node *tree.Node
	name string // as spelled, which is what entries are ordered by
	id   []byte
	dir  *dir // where node is a folder
	rock []byte
}

// maxFolders is set by the 16-bit parent numbers of path tables (section 9.4.4).
const maxFolders = 65535

// newHierarchy spells the names of the nodes that keep accepts.
func newHierarchy(t *tree.Tree, s style, keep func(*tree.Node) bool) (*hierarchy, error) {
	folders := t.Folders()
	root := &dir{node: t.Get("."), id: []byte{0}}
	root.parent = root
	h := &hierarchy{dirs: []*dir{root}}
	for i := 0; i < len(h.dirs); i++ {
		d := h.dirs[i]
		d.number = i + 1
		d.entries = spellEntries(folders[d.node.Path], s, keep)
		for j := range d.entries {
			e := &d.entries[j]
			if e.node.Mode.IsDir() {
				e.dir = &dir{node: e.node, id: e.id, parent: d}
				h.dirs = append(h.dirs, e.dir)
			}
		}
	}
	if len(h.dirs) > maxFolders {
		return nil, report.Errorf(report.Unsupported, "%d folders; iso 9660 path tables hold %d", len(h.dirs), maxFolders)
	}
	return h, nil
}

func spellEntries(nodes []*tree.Node, s style, keep func(*tree.Node) bool) []entry {
	ns := names{style: s, taken: map[string]bool{}, next: map[string]int{}}
	var es []entry
	for _, n := range nodes {
		if keep(n) {
			name := ns.spell(n)
			es = append(es, entry{node: n, name: name, id: s.encode(name, n.Mode.IsDir())})
		}
	}
	slices.SortFunc(es, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	return es
}

// tableSize is the length of a path table (section 9.4).
func (h *hierarchy) tableSize() int64 {
	var n int64
	for _, d := range h.dirs {
		n += 8 + int64(len(d.id)+len(d.id)&1)
	}
	return n
}

// placeTables puts both path tables, least significant byte first and most significant, at block next and returns the
// block behind them.
func (h *hierarchy) placeTables(next int64) int64 {
	h.tables = next
	return next + 2*blocksOf(h.tableSize())
}

// pathTables are the two path tables, each from a block of its own on.
func (h *hierarchy) pathTables() []byte {
	one := blocksOf(h.tableSize()) * sector
	out := make([]byte, 0, 2*one)
	for i, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, d := range h.dirs {
			out = append(out, byte(len(d.id)), 0)
			out = order.AppendUint32(out, d.block)
			out = order.AppendUint16(out, uint16(d.parent.number))
			out = append(out, d.id...)
			if len(d.id)&1 != 0 {
				out = append(out, 0)
			}
		}
		out = append(out, make([]byte, int64(i+1)*one-int64(len(out)))...)
	}
	return out
}

// placeFolders gives every folder its blocks, from next on, and returns the block behind the last.
func (h *hierarchy) placeFolders(next int64, p *plan) int64 {
	rock := h == p.primary && !p.NoRockRidge
	for _, d := range h.dirs {
		if rock {
			d.addRockRidge(0, p.Epoch)
		}
		d.block, d.size = uint32(next), blob.Align(d.measure(p.files), sector)
		next += d.size / sector
		if len(d.area.Data) > 0 { // now that its place is known
			d.addRockRidge(next, p.Epoch)
			next += blocksOf(int64(len(d.area.Data)))
		}
	}
	return next
}

// measure is the length of d's records.
func (d *dir) measure(files map[string]*file) int64 {
	at := fit(0, record.Len([]byte{0}, d.self))
	at = fit(at, record.Len([]byte{1}, d.up))
	for _, e := range d.entries {
		n := int64(1)
		if f := files[e.node.Path]; f != nil {
			n = f.extents()
		}
		for range n {
			at = fit(at, record.Len(e.id, e.rock))
		}
	}
	return at
}

// fit is the end of a record of n bytes behind at.
func fit(at int64, n int) int64 { return record.Start(at, n) + int64(n) }

// encode is all folders and what is behind them, from the block of the root on.
func (h *hierarchy) encode(files map[string]*file, epoch time.Time) []byte {
	first, last := int64(h.dirs[0].block), h.dirs[len(h.dirs)-1]
	out := make([]byte, (int64(last.block)-first)*sector+last.size+int64(len(last.area.Data)))
	for _, d := range h.dirs {
		p := out[(int64(d.block)-first)*sector:]
		copy(p[d.size:], d.area.Data)
		d.encode(p[:d.size], files, epoch)
	}
	return out
}

// encode writes the records of d into p.
func (d *dir) encode(p []byte, files map[string]*file, epoch time.Time) {
	at := int64(0)
	put := func(r record.Record) {
		n := record.Len(r.ID, r.SystemUse)
		at = fit(at, n)
		r.Put(p[at-int64(n) : at])
	}
	put(d.record([]byte{0}, d.self, epoch))
	put(d.parent.record([]byte{1}, d.up, epoch))
	for _, e := range d.entries {
		if e.dir != nil {
			put(e.dir.record(e.id, e.rock, epoch))
			continue
		}
		for _, r := range fileRecords(e, files[e.node.Path], epoch) {
			put(r)
		}
	}
}

func (d *dir) record(id, rock []byte, epoch time.Time) record.Record {
	return record.Record{ID: id, SystemUse: rock, Block: d.block, Size: uint32(d.size), Flags: record.Dir, Time: timeOf(d.node, epoch)}
}

// fileRecords are the records of what is no folder: one for each extent of a file, one for anything else.
func fileRecords(e entry, f *file, epoch time.Time) []record.Record {
	r := record.Record{ID: e.id, SystemUse: e.rock, Time: timeOf(e.node, epoch)}
	if f == nil {
		return []record.Record{r}
	}
	var out []record.Record
	for off := int64(0); ; off += maxExtent {
		left := f.content.Size() - off
		r.Block, r.Size, r.Flags = uint32((f.offset+off)/sector), uint32(min(left, maxExtent)), 0
		if left <= maxExtent {
			return append(out, r)
		}
		r.Flags = record.More
		out = append(out, r)
	}
}

// addRockRidge gives every record of d its system use fields, whose continuations begin at block.
func (d *dir) addRockRidge(block int64, epoch time.Time) {
	d.area = record.Area{Block: block}
	attributes := func(d *dir) [][]byte { return record.Attributes(d.node, d.links(), timeOf(d.node, epoch)) }
	self := attributes(d)
	if d.parent == d {
		self = record.RootFields(d.node, d.links(), timeOf(d.node, epoch))
	}
	d.self = d.area.SystemUse([]byte{0}, self)
	d.up = d.area.SystemUse([]byte{1}, attributes(d.parent))
	for i := range d.entries {
		e := &d.entries[i]
		links := 1
		if e.dir != nil {
			links = e.dir.links()
		}
		e.rock = d.area.SystemUse(e.id, record.Fields(e.node, links, timeOf(e.node, epoch)))
	}
}

// timeOf is a node's own time, or the volume's.
func timeOf(n *tree.Node, epoch time.Time) time.Time {
	if n.ModTime.IsZero() {
		return epoch
	}
	return n.ModTime
}

// links is the link count of a node: that of a folder counts its own "." and its folders' "..".
func (d *dir) links() int {
	n := 2
	for _, e := range d.entries {
		if e.dir != nil {
			n++
		}
	}
	return n
}
