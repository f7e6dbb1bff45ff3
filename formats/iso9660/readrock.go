package iso9660

import (
	"encoding/binary"
	"io/fs"
	"time"

	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// rock is what the system use fields of one record say.
type rock struct {
	name         string
	hasMode      bool
	mode         uint32 // as in st_mode
	uid, gid     uint32
	modified     time.Time
	link         string
	linkOpen     bool // the last component goes on in the next
	major, minor uint32
	child        uint32 // block of a relocated folder, or 0
	relocated    bool   // this is that folder's record where it was relocated to
}

// detect looks into the first record of the root for the SP field that announces system use fields.
func (r *reader) detect(root []byte) error {
	r.names = Plain
	rec, err := parseRecord(root[:min(len(root), int(root[0]))])
	if err != nil {
		return err
	}
	self, err := r.selfRecord(rec.block)
	if err != nil {
		return err
	}
	if p := self.rock; len(p) >= 7 && string(p[:2]) == "SP" && p[4] == 0xbe && p[5] == 0xef {
		x, err := r.rock(self.rock)
		if err != nil {
			return err
		}
		if x.hasMode { // other uses of SUSP exist
			r.names, r.skip = RockRidge, int(p[6])
		}
	}
	return nil
}

// selfRecord is the "." of the folder at block.
func (r *reader) selfRecord(block uint32) (record, error) {
	n := min(int64(sector), max(0, r.b.Size()-int64(block)*sector))
	p, err := r.load(int64(block)*sector, n, "folder")
	if err != nil {
		return record{}, err
	}
	if len(p) > 0 {
		p = p[:min(len(p), int(p[0]))]
	}
	rec, err := parseRecord(p)
	if err == nil && (len(rec.id) != 1 || rec.id[0] != 0) {
		err = report.Errorf(report.Invalid, "folder at offset %d does not begin with itself", int64(block)*sector)
	}
	return rec, err
}

// relocated is the record and fields of the folder that x points at, under the name of x.
func (r *reader) relocated(x rock) (record, rock, error) {
	rec, err := r.selfRecord(x.child)
	if err != nil {
		return rec, x, err
	}
	self, err := r.rock(rec.rock)
	self.name = x.name
	rec.flags |= flagDir
	return rec, self, err
}

// apply gives n what x says. A record's own flag decides whether it is a folder.
func (x *rock) apply(n *tree.Node, dir bool) {
	if x.hasMode {
		n.Mode = tree.FileMode(x.mode)
		n.UID, n.GID = x.uid, x.gid
	}
	if x.hasMode && (dir || n.Mode.IsDir() || n.Mode&fs.ModeIrregular != 0) {
		n.Mode &^= fs.ModeType
		if dir {
			n.Mode |= fs.ModeDir
		}
	}
	if !x.modified.IsZero() {
		n.ModTime = x.modified
	}
	switch n.Mode.Type() {
	case fs.ModeSymlink:
		n.Link = x.link
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		n.Major, n.Minor = x.major, x.minor
	}
}

// rock reads the system use fields of a record and of its continuation areas.
func (r *reader) rock(p []byte) (x rock, err error) {
	p = p[min(r.skip, len(p)):]
	for areas := 0; ; areas++ {
		next := x.fields(p)
		if next == nil {
			return x, nil
		}
		block, off, n := binary.LittleEndian.Uint32(next), binary.LittleEndian.Uint32(next[8:]), binary.LittleEndian.Uint32(next[16:])
		at := int64(block)*sector + int64(off)
		if areas == maxAreas || n > sector {
			return x, report.Errorf(report.Invalid, "rock ridge continuation at offset %d: %d bytes, in the chain's area %d; %d bytes and %d areas are the limits",
				at, n, areas+1, sector, maxAreas)
		}
		if p, err = r.load(at, int64(n), "rock ridge continuation"); err != nil {
			return x, err
		}
	}
}

// fields reads one area and returns the data of its CE field, or nil. What follows the last field is padding.
func (x *rock) fields(p []byte) (next []byte) {
	for len(p) >= fieldHead && int(p[2]) >= fieldHead && int(p[2]) <= len(p) && string(p[:2]) != "ST" {
		data := p[fieldHead:p[2]]
		if string(p[:2]) == "CE" && len(data) >= ceLen-fieldHead {
			next = data
		} else {
			x.field(string(p[:2]), data)
		}
		p = p[p[2]:]
	}
	return next
}

// field takes what one field says; a field that is too short says nothing.
func (x *rock) field(signature string, p []byte) {
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(p[8*i:]) }
	switch {
	case signature == "PX" && len(p) >= pxLen-fieldHead:
		x.hasMode, x.mode, x.uid, x.gid = true, u32(0), u32(2), u32(3)
	case signature == "TF" && len(p) > 0:
		x.times(p[0], p[1:])
	case signature == "NM" && len(p) > 0:
		x.name += string(p[1:])
	case signature == "SL" && len(p) > 0:
		x.components(p[1:])
	case signature == "PN" && len(p) >= pnLen-fieldHead:
		if x.major, x.minor = u32(0), u32(1); x.major == 0 {
			x.major, x.minor = x.minor>>8, x.minor&0xff
		}
	case signature == "CL" && len(p) >= 8:
		x.child = u32(0)
	case signature == "RE":
		x.relocated = true
	}
}

// times takes the time of modification, which comes second after an optional time of creation.
func (x *rock) times(flags byte, p []byte) {
	size := 7
	if flags&tfLongForm != 0 {
		size = volumeTimeSize
	}
	if flags&1 != 0 && len(p) >= size {
		p = p[size:]
	}
	switch {
	case flags&tfModify == 0 || len(p) < size:
	case size == 7:
		x.modified = getTime(p)
	default:
		x.modified = parseVolumeTime(p)
	}
}

// components appends those of one SL field to the link's target.
func (x *rock) components(p []byte) {
	for len(p) >= 2 && int(p[1]) <= len(p)-2 {
		flags, text := p[0], string(p[2:2+p[1]])
		p = p[2+p[1]:]
		switch {
		case flags&slRoot != 0 && x.link == "":
			text = "/"
		case flags&slRoot != 0: // how genisoimage writes a doubled slash
			text = ""
		case flags&slParent != 0:
			text = ".."
		case flags&slCurrent != 0:
			text = "."
		}
		if x.link != "" && x.link != "/" && !x.linkOpen {
			x.link += "/"
		}
		x.link += text
		x.linkOpen = flags&slContinue != 0
	}
}
