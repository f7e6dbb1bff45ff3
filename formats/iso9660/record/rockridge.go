package record

import (
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/tree"
)

// Lengths of system use fields (SUSP section 5, RRIP section 4), of which the first four bytes are the signature, the
// length and the version.
const (
	fieldHead = 4
	ceLen     = 28
	pxLen     = 36
	tfLen     = fieldHead + 1 + timeLen
	pnLen     = 20
	maxField  = 255
)

const (
	tfModify    = 1 << 1
	tfLongForm  = 1 << 7
	nmContinue  = 1 << 0
	slContinue  = 1 << 0 // of an SL field and of a component
	slCurrent   = 1 << 1
	slParent    = 1 << 2
	slRoot      = 1 << 3
	rrip        = "RRIP_1991A"
	rripAbout   = "THE ROCK RIDGE INTERCHANGE PROTOCOL PROVIDES SUPPORT FOR POSIX FILE SYSTEM SEMANTICS"
	rripContact = "PLEASE CONTACT DISC PUBLISHER FOR SPECIFICATION SOURCE.  SEE PUBLISHER IDENTIFIER IN PRIMARY VOLUME DESCRIPTOR FOR CONTACT INFORMATION."
)

// Fields are the system use fields of n's record in its folder.
func Fields(n *tree.Node, links int, t time.Time) [][]byte {
	fields := append(Attributes(n, links, t), nameFields(n.Name())...)
	switch n.Mode.Type() {
	case fs.ModeSymlink:
		fields = append(fields, linkFields(n.Link)...)
	case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
		fields = append(fields, deviceField(n))
	}
	return fields
}

// RootFields are those of the root's record of itself, which say that Rock Ridge is in use: fields SP and ER.
func RootFields(root *tree.Node, links int, t time.Time) [][]byte {
	er := field("ER", append([]byte{byte(len(rrip)), byte(len(rripAbout)), byte(len(rripContact)), 1}, rrip+rripAbout+rripContact...)...)
	fields := append([][]byte{field("SP", 0xbe, 0xef, 0)}, Attributes(root, links, t)...)
	return append(fields, er)
}

func field(signature string, data ...byte) []byte {
	return append([]byte{signature[0], signature[1], byte(fieldHead + len(data)), 1}, data...)
}

// Attributes are the PX field, without the serial number of later versions, and where t can be written the TF field:
// all that a folder's records of itself and of its parent have.
func Attributes(n *tree.Node, links int, t time.Time) [][]byte {
	px := field("PX", make([]byte, pxLen-fieldHead)...)
	for i, v := range []uint32{tree.UnixMode(n.Mode), uint32(links), n.UID, n.GID} {
		Both32(px[fieldHead+8*i:], v)
	}
	if !hasTime(t) {
		return [][]byte{px}
	}
	tf := field("TF", make([]byte, tfLen-fieldHead)...)
	tf[fieldHead] = tfModify
	putTime(tf[fieldHead+1:], t)
	return [][]byte{px, tf}
}

func nameFields(name string) [][]byte {
	const room = maxField - fieldHead - 1
	var out [][]byte
	for len(name) > room {
		out = append(out, field("NM", append([]byte{nmContinue}, name[:room]...)...))
		name = name[room:]
	}
	return append(out, field("NM", append([]byte{0}, name...)...))
}

// linkFields are the components of target in as many SL fields as they need. Doubled slashes and one at the end, which
// mean nothing, are dropped, as by every writer: there is no component for them. A field that is not the last ends with
// a component that goes on in the next, be it an empty one: libarchive forgets the slash between two fields otherwise.
func linkFields(target string) [][]byte {
	const room, componentHead = maxField - fieldHead, 2
	var fields [][]byte
	data := []byte{0}
	component := func(flags byte, text string) { data = append(append(data, flags, byte(len(text))), text...) }
	put := func(flags byte, text string) {
		for len(data)+componentHead+len(text)+componentHead > room {
			n := min(len(text), room-len(data)-componentHead)
			component(slContinue, text[:n])
			text = text[n:]
			data[0] = slContinue
			fields, data = append(fields, field("SL", data...)), []byte{0}
		}
		component(flags, text)
	}
	if strings.HasPrefix(target, "/") {
		put(slRoot, "")
	}
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "":
		case ".":
			put(slCurrent, "")
		case "..":
			put(slParent, "")
		default:
			put(0, part)
		}
	}
	return append(fields, field("SL", data...))
}

// deviceField is the PN field. Writers disagree on its two halves; what Linux and libarchive read right is both numbers
// in the low one where they fit as they did in the 16-bit dev_t, else one in each.
func deviceField(n *tree.Node) []byte {
	pn := field("PN", make([]byte, pnLen-fieldHead)...)
	high, low := n.Major, n.Minor
	if n.Major <= 0xfff && n.Minor <= 0xff {
		high, low = 0, n.Major<<8|n.Minor
	}
	Both32(pn[fieldHead:], high)
	Both32(pn[fieldHead+8:], low)
	return pn
}

// Area holds the fields that do not fit into the directory records of one folder: continuation areas, one after another.
// libarchive wants them right behind the folder, and to point only forwards.
type Area struct {
	Block int64 // where Data goes
	Data  []byte
}

// SystemUse is what goes into the record with identifier id: all fields where there is room, else those that fit and a
// CE field that points at the others, which are added to the area.
func (a *Area) SystemUse(id []byte, fields [][]byte) []byte {
	n := fitting(fields, maxLen-head(id))
	out := slices.Concat(fields[:n]...)
	if n < len(fields) {
		out = append(out, make([]byte, ceLen)...)
		a.store(fields[n:], out[len(out)-ceLen:])
	}
	return out
}

// fitting is how many fields go into room bytes, with a CE field where they are not all.
func fitting(fields [][]byte, room int) (n int) {
	total := 0
	for _, f := range fields {
		if total += len(f); total <= room-ceLen {
			n++
		}
	}
	if total <= room {
		return len(fields)
	}
	return n
}

// store adds fields to the area and makes ce the field that points at them. They never cross a sector: what does not fit
// into one has a CE field of its own.
func (a *Area) store(fields [][]byte, ce []byte) {
	n := fitting(fields, Sector)
	data := slices.Concat(fields[:n]...)
	if n < len(fields) {
		data = append(data, make([]byte, ceLen)...)
	}
	at := Start(int64(len(a.Data)), len(data))
	a.Data = append(append(a.Data, make([]byte, at-int64(len(a.Data)))...), data...)
	copy(ce, field("CE", make([]byte, ceLen-fieldHead)...))
	Both32(ce[fieldHead:], uint32(a.Block+at/Sector))
	Both32(ce[fieldHead+8:], uint32(at%Sector))
	Both32(ce[fieldHead+16:], uint32(len(data)))
	if n < len(fields) {
		end := int64(len(a.Data))
		var next [ceLen]byte // as a.Data may move
		a.store(fields[n:], next[:])
		copy(a.Data[end-ceLen:], next[:])
	}
}
