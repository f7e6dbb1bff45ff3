package record

import (
	"encoding/binary"
	"io/fs"
	"time"

	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Rock is what the Rock Ridge fields of one record say.
type Rock struct {
	Name      string
	HasMode   bool
	Child     uint32 // block of the folder that was relocated from here, or 0
	Relocated bool   // this is such a folder's record in the place it was relocated to

	mode         uint32 // as in st_mode
	uid, gid     uint32
	modified     time.Time
	link         string
	linkOpen     bool // its last component goes on in the next
	major, minor uint32
}

// Apply gives n what x says. A record's own flag decides whether it is a folder.
func (x *Rock) Apply(n *tree.Node, dir bool) {
	if x.HasMode {
		n.Mode = tree.FileMode(x.mode)
		n.UID, n.GID = x.uid, x.gid
	}
	if x.HasMode && (dir || n.Mode.IsDir() || n.Mode&fs.ModeIrregular != 0) {
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

// maxAreas bounds the continuation areas of one record, as Linux does.
const maxAreas = 32

// ReadRock reads the fields of a system use area and of its continuations, which load reads from the volume.
func ReadRock(p []byte, load func(off, n int64) ([]byte, error)) (x Rock, err error) {
	for areas := 0; ; areas++ {
		next := x.fields(p)
		if next == nil {
			return x, nil
		}
		block, off, n := binary.LittleEndian.Uint32(next), binary.LittleEndian.Uint32(next[8:]), binary.LittleEndian.Uint32(next[16:])
		at := int64(block)*Sector + int64(off)
		if areas == maxAreas || n > Sector {
			return x, report.Errorf(report.Invalid, "rock ridge continuation at offset %d has %d bytes and is the record's %dth; the limits are %d and %d",
				at, n, areas+1, Sector, maxAreas)
		}
		if p, err = load(at, int64(n)); err != nil {
			return x, err
		}
	}
}

// UsesRock reports whether the system use area of the root's own record announces fields from its first byte on, and
// how many bytes to skip in all other records.
func UsesRock(p []byte) (skip int, ok bool) {
	if len(p) < 7 || string(p[:2]) != "SP" || p[4] != 0xbe || p[5] != 0xef {
		return 0, false
	}
	return int(p[6]), true
}

// fields reads one area and returns the data of its CE field, or nil. What follows the last field is padding.
func (x *Rock) fields(p []byte) (next []byte) {
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
func (x *Rock) field(signature string, p []byte) {
	u32 := func(i int) uint32 { return binary.LittleEndian.Uint32(p[8*i:]) }
	switch {
	case signature == "PX" && len(p) >= pxLen-fieldHead:
		x.HasMode, x.mode, x.uid, x.gid = true, u32(0), u32(2), u32(3)
	case signature == "TF" && len(p) > 0:
		x.times(p[0], p[1:])
	case signature == "NM" && len(p) > 0:
		x.Name += string(p[1:])
	case signature == "SL" && len(p) > 0:
		x.components(p[1:])
	case signature == "PN" && len(p) >= pnLen-fieldHead:
		if x.major, x.minor = u32(0), u32(1); x.major == 0 {
			x.major, x.minor = x.minor>>8, x.minor&0xff
		}
	case signature == "CL" && len(p) >= 8:
		x.Child = u32(0)
	case signature == "RE":
		x.Relocated = true
	}
}

// times takes the time of modification, which comes second after an optional time of creation.
func (x *Rock) times(flags byte, p []byte) {
	size := timeLen
	if flags&tfLongForm != 0 {
		size = VolumeTimeLen
	}
	if flags&1 != 0 && len(p) >= size {
		p = p[size:]
	}
	switch {
	case flags&tfModify == 0 || len(p) < size:
	case size == timeLen:
		x.modified = getTime(p)
	default:
		x.modified = ParseVolumeTime(p)
	}
}

// components appends those of one SL field to the link's target.
func (x *Rock) components(p []byte) {
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
