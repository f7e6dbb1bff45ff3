package iso9660

import (
	"io/fs"
	"math"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660/record"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	sector           = record.Sector
	systemArea       = 16 // sectors before the first volume descriptor (section 6.2.1), for partition tables
	defaultPad       = 150
	maxName          = 253
	maxFile    int64 = 1 << 43 // a volume's blocks have 32-bit numbers
)

// Options are for Format; the zero value makes a volume without a name, dates or boot entries.
type Options struct {
	VolumeID    string // at most 32 printable ASCII characters, of which Joliet keeps 16
	Publisher   string // at most 128, of which Joliet keeps 64, as the next two
	Preparer    string
	Application string
	Epoch       time.Time // of the volume, and of nodes without a time of their own; zero leaves both unspecified
	Boot        []BootEntry
	NoJoliet    bool
	NoRockRidge bool // only upper-case ASCII names and, unless NoJoliet, Joliet's: no links, owners, modes or devices
	// Align is what the offsets of files that are at least that long are multiples of: a power of two of at least 2048,
	// which 0 means. 4096 and more lets file systems share blocks with the image.
	Align int64
	// Pad is the number of zero sectors at the end, which belong to the volume. 0 means 150, as mkisofs has it: drives
	// and kernels read ahead, and fail at the end of a disc burnt track-at-once. Below zero means none.
	Pad int
}

// Image is the Blob that Format lays out and the places of its files.
type Image struct {
	*blob.Image
	files map[string]blob.Range
}

// Location is where in the image the content of the regular file at path lies, in one piece. ok is false where there is
// no such file; an empty file has no place of its own and offset 0.
func (im *Image) Location(path string) (off, size int64, ok bool) {
	r, ok := im.files[path]
	return r.Offset, r.Length, ok
}

// Format lays out t as an ISO 9660 volume. Content is not read, but for boot images that get a boot information table.
// Folders come in breadth-first order, files in the order of their paths. Refused are names over 253 bytes, which
// Linux would cut, what the chosen extensions cannot express, and volumes of 8 TiB and more.
func Format(t *tree.Tree, o Options) (*Image, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	p := &plan{Options: o, files: map[string]*file{}}
	if err := p.collect(t); err != nil {
		return nil, err
	}
	p.primary, err = newHierarchy(t, plain, func(*tree.Node) bool { return true })
	if err != nil {
		return nil, err
	}
	if !o.NoJoliet {
		p.joliet, err = newHierarchy(t, joliet, func(n *tree.Node) bool { return n.Mode.IsDir() || n.Mode.IsRegular() })
		if err != nil {
			return nil, err
		}
	}
	if err := p.layout(); err != nil {
		return nil, err
	}
	return p.image()
}

func (o Options) complete() (Options, error) {
	for _, f := range []struct {
		name, text string
		limit      int
	}{{"volume id", o.VolumeID, 32}, {"publisher", o.Publisher, 128}, {"preparer", o.Preparer, 128}, {"application", o.Application, 128}} {
		if len(f.text) > f.limit || strings.ContainsFunc(f.text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return o, report.Errorf(report.Invalid, "iso 9660 %s %q is not at most %d printable ASCII characters", f.name, f.text, f.limit)
		}
	}
	if o.Align == 0 {
		o.Align = sector
	}
	if o.Align < sector || o.Align&(o.Align-1) != 0 || o.Align > 1<<30 {
		return o, report.Errorf(report.Invalid, "iso 9660 alignment %d is not a power of two from %d to 1 GiB", o.Align, sector)
	}
	switch {
	case o.Pad == 0:
		o.Pad = defaultPad
	case o.Pad < 0:
		o.Pad = 0
	}
	return o, nil
}

// plan is a volume being laid out.
type plan struct {
	Options
	order   []*file // regular files in path order
	files   map[string]*file
	primary *hierarchy
	joliet  *hierarchy // nil without Joliet
	catalog uint32     // block of the boot catalogue
	blocks  int64      // of the volume
}

// collect takes the regular files out of t and refuses what the volume cannot hold.
func (p *plan) collect(t *tree.Tree) error {
	for _, n := range t.Nodes() {
		switch {
		case len(n.Name()) > maxName:
			return report.Errorf(report.Unsupported, "%.60s…: name of %d bytes; Linux reads Rock Ridge names of at most %d", n.Path, len(n.Name()), maxName)
		case n.Mode.IsRegular():
			f := &file{node: n, content: n.Open()}
			if f.content.Size() >= maxFile {
				return report.Errorf(report.Invalid, "%s: %d bytes do not fit into the 8 TiB of an iso 9660 volume", n.Path, n.Size())
			}
			p.order, p.files[n.Path] = append(p.order, f), f
		case n.Mode.IsDir():
		case p.NoRockRidge:
			return report.Errorf(report.Unsupported, "%s: mode %v; without Rock Ridge only folders and files can be written", n.Path, n.Mode)
		case n.Mode&fs.ModeIrregular != 0:
			return report.Errorf(report.Unsupported, "%s: a file of unknown type cannot be written", n.Path)
		case n.Mode&fs.ModeSymlink != 0 && (n.Link == "" || strings.ContainsRune(n.Link, 0)):
			return report.Errorf(report.Invalid, "%s: symbolic link with target %q", n.Path, n.Link)
		}
	}
	return p.checkBoot(t)
}

// layout gives everything its blocks, in this order: descriptors, path tables, boot catalogue, folders, files, padding.
func (p *plan) layout() error {
	next := systemArea + int64(len(p.hierarchies())) + 1 // a descriptor each, and the terminator
	if len(p.Boot) > 0 {
		next++
	}
	for _, h := range p.hierarchies() {
		next = h.placeTables(next)
	}
	if len(p.Boot) > 0 {
		p.catalog = uint32(next)
		next++
	}
	for _, h := range p.hierarchies() {
		next = h.placeFolders(next, p)
	}
	share(p.order)
	end := p.placeFiles(next * sector)
	p.blocks = blocksOf(end) + int64(p.Pad)
	if p.blocks > math.MaxUint32 {
		return report.Errorf(report.Invalid, "iso 9660 volume of %d bytes; 8 TiB is the limit", p.blocks*sector)
	}
	return nil
}

func (p *plan) hierarchies() []*hierarchy {
	if p.joliet == nil {
		return []*hierarchy{p.primary}
	}
	return []*hierarchy{p.primary, p.joliet}
}

// image encodes the tables and puts them and the files into one Image.
func (p *plan) image() (*Image, error) {
	if err := p.patchBoot(); err != nil {
		return nil, err
	}
	var es []blob.Extent
	add := func(name string, block int64, data []byte) {
		es = append(es, blob.Extent{Name: name, Offset: block * sector, Blob: blob.Bytes(data)})
	}
	var descriptors []byte
	for _, d := range p.descriptors() {
		descriptors = append(descriptors, d...)
	}
	add("volume descriptors", systemArea, descriptors)
	add("boot catalogue", int64(p.catalog), p.bootCatalogue())
	for i, h := range p.hierarchies() {
		prefix := [...]string{"", "joliet "}[i]
		add(prefix+"path tables", h.tables, h.pathTables())
		add(prefix+"folders", int64(h.dirs[0].block), h.encode(p.files, p.Epoch))
	}
	im := &Image{files: map[string]blob.Range{}}
	for _, f := range p.order {
		im.files[f.node.Path] = blob.Range{Offset: f.offset, Length: f.content.Size()}
		if f.host == nil {
			es = append(es, blob.Extent{Name: f.node.Path, Offset: f.offset, Blob: f.content})
		}
	}
	var err error
	im.Image, err = blob.NewImage(p.blocks*sector, es...)
	return im, err
}

// blocksOf is the number of blocks that n bytes take.
func blocksOf(n int64) int64 { return (n + sector - 1) / sector }
