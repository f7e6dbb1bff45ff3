package fat

import (
	"encoding/binary"
	"io/fs"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// plan is a volume's folders and files, and once a geometry is chosen their clusters.
type plan struct {
	o       Options
	folders []*folder // parents before what is in them, the root first
	files   []*item   // that have content
	next    int64     // first cluster behind everything
	used    int64     // clusters; those skipped for alignment are not
}

// folder is one folder and its entries.
type folder struct {
	node   *tree.Node // nil for the root
	parent *folder
	items  []*item
	slots  int64 // entries of 32 bytes
	first  int64 // cluster; 0 for a fixed root
}

// item is one name in a folder.
type item struct {
	node   *tree.Node
	name   shortName
	long   []uint16 // nil where the short name says it all
	folder *folder  // if it is one
	first  int64    // cluster of a file's content; 0 for none
}

// maxSlots bounds a folder to the 2 MiB that the specification gives it.
const maxSlots = 1 << 16

func newPlan(t *tree.Tree, o Options) (*plan, error) {
	p := &plan{o: o, folders: []*folder{{}}}
	entries := t.Folders()
	for i := 0; i < len(p.folders); i++ {
		f, path := p.folders[i], "."
		if f.node != nil {
			path = f.node.Path
		}
		if err := f.fill(entries[path]); err != nil {
			return nil, err
		}
		if i == 0 && o.Label != "" {
			f.slots++
		}
		if f.slots > maxSlots {
			return nil, report.Errorf(report.Invalid, "folder %s: its entries need %d places, FAT has %d; spread them over more folders", path, f.slots, maxSlots)
		}
		for _, it := range f.items {
			if it.folder != nil {
				p.folders = append(p.folders, it.folder)
			} else if it.node.Size() > 0 {
				p.files = append(p.files, it)
			}
		}
	}
	return p, nil
}

// fill gives every node its names. Short names that follow from their long ones come first, so that no numbered one
// takes their place.
func (f *folder) fill(nodes []*tree.Node) error {
	names, seen := newAliases(len(nodes)), make(map[string]*tree.Node, len(nodes))
	if f.node != nil {
		f.slots = 2 // "." and ".."
	}
	var unnamed []*item
	for _, n := range nodes {
		if err := checkNode(n); err != nil {
			return err
		}
		upper := strings.ToUpper(n.Name())
		if other := seen[upper]; other != nil {
			return report.Errorf(report.Invalid, "%s and %s are one name to FAT, which ignores case", other.Path, n.Path)
		}
		seen[upper] = n
		it := &item{node: n}
		if n.Mode.IsDir() {
			it.folder = &folder{node: n, parent: f}
		}
		short, ok := asShort(n.Name())
		if ok {
			it.name, names.used[short] = short, true
		} else {
			unnamed = append(unnamed, it)
		}
		if !ok || n.Name() != asciiUpper(n.Name()) {
			it.long = utf16.Encode([]rune(n.Name()))
		}
		f.items = append(f.items, it)
		f.slots += 1 + int64(longEntries(it.long))
	}
	for _, it := range unnamed {
		var err error
		if it.name, err = names.numbered(it.node.Name()); err != nil {
			return report.Errorf(report.Invalid, "%s: %w", it.node.Path, err)
		}
	}
	return nil
}

func checkNode(n *tree.Node) error {
	switch {
	case n.Mode&fs.ModeSymlink != 0:
		return report.Errorf(report.Unsupported, "%s is a symbolic link; FAT has only files and folders", n.Path)
	case !n.Mode.IsDir() && !n.Mode.IsRegular():
		return report.Errorf(report.Unsupported, "%s is a special file (%s); FAT has only files and folders", n.Path, n.Mode.Type())
	case n.Size() > math.MaxUint32:
		return report.Errorf(report.Invalid, "%s has %d bytes; a file on FAT has at most 4 GiB less one byte", n.Path, n.Size())
	}
	if err := checkName(n.Name()); err != nil {
		return report.Errorf(report.Invalid, "%s: %w", n.Path, err)
	}
	return nil
}

// choose is the geometry of the first type, and of its largest clusters, that the tree fits into.
func (p *plan) choose() (geometry, error) {
	for _, bits := range p.o.types() {
		over := int64(math.MaxInt64)
		for _, cluster := range p.o.clusterSizes() {
			need := p.place(bits, cluster)
			g := p.o.newGeometry(bits, cluster, need)
			if p.o.Size > 0 {
				g = p.o.sizedGeometry(bits, cluster)
			}
			if !g.valid() {
				continue
			}
			if need <= g.clusters {
				return g, p.checkRoot(g)
			}
			over = min(over, (need-g.clusters)*cluster)
		}
		if over < math.MaxInt64 {
			return geometry{}, report.Errorf(report.Invalid, "the FAT volume of %d bytes is full: its content is %d bytes too large", p.o.Size, over)
		}
	}
	return p.chooseLeast()
}

// chooseLeast is the smallest geometry that is valid at all, for a tree that fills less, or the reason why no geometry is.
func (p *plan) chooseLeast() (geometry, error) {
	types, cluster := p.o.types(), p.o.leastCluster()
	for _, bits := range slices.Backward(types) {
		least, _ := clusterRange(bits)
		g := p.o.newGeometry(bits, cluster, least)
		if p.o.Size == 0 && p.place(bits, cluster) <= least {
			return g, p.checkRoot(g)
		}
		if p.o.Size > 0 && p.o.Size < g.size {
			return g, p.hintSize(report.Errorf(report.Invalid, "%d bytes are too few for FAT%d with clusters of %d bytes: it needs at least %d", p.o.Size, bits, cluster, g.size))
		}
	}
	if p.o.Size > 0 {
		return geometry{}, p.hintSize(report.Errorf(report.Invalid, "no FAT%d volume has %d bytes", types[0], p.o.Size))
	}
	return geometry{}, p.hintSize(report.Errorf(report.Invalid, "the content, %d clusters of %d bytes, is too large for FAT%d", p.next-firstCluster, cluster, types[0]))
}

func (p *plan) hintSize(err error) error {
	if p.o.Bits == 0 && p.o.ClusterSize == 0 {
		return err
	}
	return report.WithHint(err, "leave the type and the cluster size open")
}

func (p *plan) checkRoot(g geometry) error {
	if n := p.folders[0].slots; g.rootSlots > 0 && n > g.rootSlots {
		return report.WithHint(report.Errorf(report.Invalid, "the root folder is full: its entries need %d places, FAT16 has %d", n, g.rootSlots), "use a folder, shorter names, or FAT32")
	}
	return nil
}

// place gives everything its clusters and returns how many there must be.
func (p *plan) place(bits int, cluster int64) int64 {
	g := geometry{cluster: cluster}
	p.next, p.used = firstCluster, 0
	take := func(n int64) int64 {
		first := p.next
		p.next, p.used = p.next+n, p.used+n
		return first
	}
	for i, f := range p.folders {
		if f.first = 0; i > 0 || bits == 32 {
			f.first = take(max(1, g.count(f.slots*slotSize)))
		}
	}
	apart := max(1, p.o.Align/cluster)
	for _, it := range p.files {
		p.next = blob.Align(p.next-firstCluster, apart) + firstCluster
		it.first = take(g.count(it.node.Size()))
	}
	return p.next - firstCluster
}

// table is the FAT up to the last cluster in use; what follows is zero.
func (p *plan) table(g geometry) []byte {
	end := uint32(0x0FFFFFFF)
	if g.bits == 16 {
		end = 0xFFFF
	}
	table := make([]byte, p.next*int64(g.bits)/8)
	set := func(cluster int64, v uint32) {
		if g.bits == 16 {
			binary.LittleEndian.PutUint16(table[2*cluster:], uint16(v))
		} else {
			binary.LittleEndian.PutUint32(table[4*cluster:], v)
		}
	}
	chain := func(first, size int64) {
		last := first + max(1, g.count(size)) - 1
		for c := first; c < last; c++ {
			set(c, uint32(c+1))
		}
		set(last, end)
	}
	set(0, end&^0xFF|media)
	set(1, end) // with the bits that say: unmounted cleanly, no disk errors
	for _, f := range p.folders {
		if f.first > 0 {
			chain(f.first, f.slots*slotSize)
		}
	}
	for _, it := range p.files {
		chain(it.first, it.node.Size())
	}
	return table
}

// folderExtents are the fixed root folder, if there is one, and the run of all others.
func (p *plan) folderExtents(g geometry) []blob.Extent {
	var out []blob.Extent
	inClusters := p.folders
	if g.rootSlots > 0 {
		inClusters = p.folders[1:]
		out = append(out, blob.Extent{Name: "root folder", Offset: g.rootStart(), Blob: blob.Bytes(p.encode(p.folders[0], nil))})
	}
	var run []byte
	for _, f := range inClusters {
		run = p.encode(f, run)
		run = append(run, make([]byte, blob.Align(max(int64(len(run)), 1), g.cluster)-int64(len(run)))...)
	}
	return append(out, blob.Extent{Name: "folders", Offset: g.offset(firstCluster), Blob: blob.Bytes(run)})
}

// encode appends the entries of f to out.
func (p *plan) encode(f *folder, out []byte) []byte {
	at := len(out)
	out = append(out, make([]byte, f.slots*slotSize)...)
	put := func(e entry, t time.Time) {
		if t.IsZero() {
			t = p.o.Epoch
		}
		e.stamp(t)
		e.encode(out[at:])
		at += slotSize
	}
	if f.node != nil {
		put(entry{name: pack(".", ""), attr: attrFolder, first: f.first}, f.node.ModTime)
		up := f.parent.first
		if f.parent.node == nil {
			up = 0 // the root, wherever it is
		}
		put(entry{name: pack("..", ""), attr: attrFolder, first: up}, f.node.ModTime)
	} else if p.o.Label != "" {
		put(entry{name: labelField(p.o.Label), attr: attrLabel}, time.Time{})
	}
	for _, it := range f.items {
		encodeLong(out[at:], it.long, it.name.checksum())
		at += longEntries(it.long) * slotSize
		put(it.entry(), it.node.ModTime)
	}
	return out
}

func (it *item) entry() entry {
	if it.folder != nil {
		return entry{name: it.name, attr: attrFolder, first: it.folder.first}
	}
	e := entry{name: it.name, attr: attrArchive, first: it.first, size: it.node.Size()}
	if perm := it.node.Mode.Perm(); perm != 0 && perm&0o222 == 0 {
		e.attr |= attrReadOnly
	}
	return e
}
