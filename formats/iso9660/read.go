package iso9660

import (
	"encoding/binary"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660/record"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Names is where the names of a Volume's tree come from.
type Names string

// The kinds, the best first.
const (
	RockRidge Names = "Rock Ridge"
	Joliet    Names = "Joliet"
	Plain     Names = "ISO 9660"
)

// Volume is what Read found. With Rock Ridge the tree holds the root's attributes too; without it, modes are those of a
// read-only medium.
type Volume struct {
	SystemID, VolumeID, Publisher, Preparer, Application string

	Created time.Time // zero where unspecified
	Size    int64     // bytes, as the primary volume descriptor has it
	Names   Names
	Tree    *tree.Tree
	Boot    []BootImage
}

// Bounds on what Read follows.
const (
	maxDescriptors = 64
	maxPath        = 4096      // bytes
	maxMetadata    = 512 << 20 // bytes of folders, continuation areas and nodes
	nodeCost       = 256       // bytes of a node beside its path
)

// Read reads the volume in b by its Rock Ridge names, else Joliet's, else the plain ones. Contents are slices of b. Of
// versions or duplicates of a file it takes the first. Anything that points outside b is an error.
func Read(b blob.Blob) (*Volume, error) {
	d, err := readDescriptors(b)
	if err != nil {
		return nil, err
	}
	v := d.volume()
	r := &reader{b: b, budget: min(maxMetadata, 16*b.Size()+1<<20), tree: &tree.Tree{}, seen: map[uint32]bool{}, files: map[int64]string{}}
	root := d.primary[vdRoot:vdVolumeSet]
	if err := r.detect(root); err != nil {
		return nil, err
	}
	if r.names == Plain && d.joliet != nil {
		r.names, root = Joliet, d.joliet[vdRoot:vdVolumeSet]
	}
	if err := r.walk(root); err != nil {
		return nil, err
	}
	v.Names, v.Tree = r.names, r.tree
	v.Boot, err = readBoot(b, d.boot, v.Size, r.files)
	return v, err
}

// descriptors are the volume descriptors that matter; nil where missing, but primary.
type descriptors struct{ primary, joliet, boot []byte }

func readDescriptors(b blob.Blob) (d descriptors, err error) {
	for i := int64(systemArea); i < systemArea+maxDescriptors && (i+1)*sector <= b.Size(); i++ {
		p := make([]byte, sector)
		if err := blob.ReadFull(b, p, i*sector); err != nil {
			return d, err
		}
		if string(p[vdIdentifier:vdVersion]) != standardID || p[0] == typeTerminator {
			break
		}
		switch {
		case p[0] == typePrimary && d.primary == nil:
			d.primary = p
		case p[0] == typeBoot && d.boot == nil && strings.HasPrefix(string(p[bootSystem:]), elTorito):
			d.boot = p
		case p[0] == typeSupplementary && d.joliet == nil && slices.Contains([]string{"%/@", "%/C", "%/E"}, string(p[vdEscape:vdEscape+3])):
			d.joliet = p
		}
	}
	if d.primary == nil {
		return d, report.Errorf(report.Invalid, "not an iso 9660 volume: no primary volume descriptor from offset %d on", systemArea*sector)
	}
	if size := binary.LittleEndian.Uint16(d.primary[vdBlockSize:]); size != sector {
		return d, report.Errorf(report.Unsupported, "iso 9660 volume with blocks of %d bytes; %d is read", size, sector)
	}
	return d, nil
}

func (d descriptors) volume() *Volume {
	text := func(from, to int) string { return strings.TrimRight(string(d.primary[from:to]), " \x00") }
	return &Volume{
		SystemID:    text(8, vdVolume),
		VolumeID:    text(vdVolume, vdVolume+32),
		Publisher:   text(vdPublisher, vdPreparer),
		Preparer:    text(vdPreparer, vdApplication),
		Application: text(vdApplication, vdFiles),
		Created:     record.ParseVolumeTime(d.primary[vdCreated:vdModified]),
		Size:        int64(binary.LittleEndian.Uint32(d.primary[vdBlocks:])) * sector,
	}
}

// reader walks one hierarchy.
type reader struct {
	b      blob.Blob
	names  Names
	skip   int   // bytes before the first system use field of a record
	budget int64 // of metadata that may still be read or kept
	seen   map[uint32]bool
	queue  []folder
	tree   *tree.Tree
	moved  []string         // folders that hold nothing but relocated ones
	files  map[int64]string // paths by the offsets of their contents
}

// folder is one to be read.
type folder struct {
	path        string
	block, size uint32
}

// spend takes n bytes from the budget.
func (r *reader) spend(n int64) error {
	if r.budget -= n; r.budget < 0 {
		return report.Errorf(report.Unsupported, "iso 9660 volume with more folders and names than its %d bytes can need", r.b.Size())
	}
	return nil
}

// load reads n bytes of metadata.
func (r *reader) load(off, n int64, what string) ([]byte, error) {
	if off > r.b.Size()-n {
		return nil, report.Errorf(report.Invalid, "%s at offset %d, %d bytes, leaves an image of %d bytes", what, off, n, r.b.Size())
	}
	if err := r.spend(n); err != nil {
		return nil, err
	}
	p := make([]byte, n)
	return p, blob.ReadFull(r.b, p, off)
}

// walk reads the folder of the root record and all below it.
func (r *reader) walk(root []byte) error {
	rec, _, err := record.Parse(root)
	if err != nil {
		return err
	}
	if err := r.enqueue(".", rec.Block, rec.Size); err != nil {
		return err
	}
	for len(r.queue) > 0 {
		f := r.queue[0]
		r.queue = r.queue[1:]
		if err := r.readFolder(f); err != nil {
			return err
		}
	}
	for _, p := range r.moved {
		r.tree.Remove(p)
	}
	return nil
}

func (r *reader) enqueue(p string, block, size uint32) error {
	if r.seen[block] {
		return report.Errorf(report.Invalid, "folder %s at offset %d is a folder that was read already", p, int64(block)*sector)
	}
	r.seen[block] = true
	r.queue = append(r.queue, folder{p, block, size})
	return nil
}

// readFolder adds the entries of one folder.
func (r *reader) readFolder(f folder) error {
	base := int64(f.block) * sector
	data, err := r.load(base, int64(f.size), "folder "+f.path)
	if err != nil {
		return err
	}
	var parts []record.Record // earlier extents of the file that is being read
	entries, relocated := 0, 0
	for at := 0; at < len(data); {
		if data[at] == 0 {
			at += sector - at%sector
			continue
		}
		rec, n, err := record.Parse(data[at:min(at+sector-at%sector, len(data))])
		if err != nil {
			return report.Errorf(report.Invalid, "folder %s, record at offset %d: %w", f.path, base+int64(at), err)
		}
		at += n
		if len(parts) > 0 && string(parts[0].ID) != string(rec.ID) {
			return report.Errorf(report.Invalid, "folder %s, record at offset %d: the file before it lacks its last extent", f.path, base+int64(at-n))
		}
		if parts = append(parts, rec); rec.Flags&record.More != 0 {
			continue
		}
		moved, err := r.addEntry(f.path, parts)
		if err != nil {
			return err
		}
		if !rec.Self() {
			entries++
		}
		if moved {
			relocated++
		}
		parts = nil
	}
	if len(parts) > 0 {
		return report.Errorf(report.Invalid, "folder %s at offset %d: its last file lacks its last extent", f.path, base)
	}
	if relocated > 0 && relocated == entries && f.path != "." {
		r.moved = append(r.moved, f.path)
	}
	return nil
}

// addEntry adds what the records of one entry describe and reports whether it is a relocated folder, which has its
// place elsewhere.
func (r *reader) addEntry(dir string, parts []record.Record) (moved bool, err error) {
	rec := parts[len(parts)-1]
	if rec.Self() {
		if rec.ID[0] == 0 && dir == "." && r.names == RockRidge {
			_, err = r.addNode(".", rec, nil)
		}
		return false, err
	}
	if rec.Flags&record.Associated != 0 {
		return false, nil
	}
	return r.addNode(dir, rec, parts)
}

// addNode adds the node of rec, in folder dir; without parts, rec is that of the root.
func (r *reader) addNode(dir string, rec record.Record, parts []record.Record) (moved bool, err error) {
	n := tree.Node{Path: dir, ModTime: rec.Time, Mode: 0o444}
	if rec.Flags&record.Dir != 0 {
		n.Mode = fs.ModeDir | 0o555
	}
	var name string
	if r.names == RockRidge {
		x, err := r.rock(rec)
		if err != nil || x.Relocated {
			return x.Relocated, err
		}
		if x.Child != 0 {
			if rec, x, err = r.relocated(x); err != nil {
				return false, err
			}
		}
		name = x.Name
		x.Apply(&n, rec.Flags&record.Dir != 0)
	}
	if parts == nil {
		return false, r.tree.Add(n)
	}
	if n.Path, err = r.entryPath(dir, name, parts[0].ID); err != nil || r.tree.Get(n.Path) != nil {
		return false, err
	}
	switch {
	case n.Mode.IsDir():
		err = r.enqueue(n.Path, rec.Block, rec.Size)
	case n.Mode.IsRegular():
		n.Content, err = r.content(n.Path, parts)
	}
	if err != nil {
		return false, err
	}
	if err := r.spend(int64(len(n.Path)+len(n.Link)) + nodeCost); err != nil {
		return false, err
	}
	return false, r.tree.Add(n)
}

// entryPath is the path of an entry of dir, by its Rock Ridge name or, where that is empty, by its identifier without
// version.
func (r *reader) entryPath(dir, name string, id []byte) (string, error) {
	if name == "" {
		name = string(id)
		if r.names == Joliet {
			name = fromUCS2(id)
		}
		if i := strings.LastIndexByte(name, ';'); i > 0 {
			name = name[:i]
		}
		if r.names != Joliet {
			name = strings.TrimSuffix(name, ".")
		}
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", report.Errorf(report.Invalid, "folder %s holds an entry whose name is %q", dir, name)
	}
	p := path.Join(dir, name)
	if len(p) > maxPath {
		return "", report.Errorf(report.Unsupported, "path of %d bytes in an iso 9660 volume: %.60s…", len(p), p)
	}
	return p, nil
}

func fromUCS2(p []byte) string {
	u := make([]uint16, len(p)/2)
	for i := range u {
		u[i] = binary.BigEndian.Uint16(p[2*i:])
	}
	return string(utf16.Decode(u))
}

// content is the bytes of a file, one slice of the image where its extents follow one another.
func (r *reader) content(p string, parts []record.Record) (blob.Blob, error) {
	var runs []blob.Range
	for _, rec := range parts {
		off, n := int64(rec.Block)*sector, int64(rec.Size)
		if n == 0 {
			continue
		}
		if off > r.b.Size()-n {
			return nil, report.Errorf(report.Invalid, "file %s at offset %d, %d bytes, leaves an image of %d bytes", p, off, n, r.b.Size())
		}
		if last := len(runs) - 1; last >= 0 && runs[last].Offset+runs[last].Length == off {
			runs[last].Length += n
		} else {
			runs = append(runs, blob.Range{Offset: off, Length: n})
		}
	}
	var extents []blob.Extent
	for _, run := range runs {
		extents = append(extents, blob.Part("extent", blob.Slice(r.b, run.Offset, run.Length)))
	}
	switch len(runs) {
	case 0:
		return nil, nil
	case 1:
		if r.files[runs[0].Offset] == "" {
			r.files[runs[0].Offset] = p
		}
		return extents[0].Blob, nil
	}
	return blob.Concat(extents...), nil
}
