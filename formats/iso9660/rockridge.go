package iso9660

import (
	"io/fs"
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
	tfLen     = fieldHead + 1 + 7
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

// continuation is the area for system use fields that do not fit into their directory record.
type continuation struct {
	block int64
	data  []byte
}

// addRockRidge gives every record of h its system use fields.
func (h *hierarchy) addRockRidge(c *continuation, epoch time.Time) {
	for i, d := range h.dirs {
		self := attributes(d.node, d.links(), epoch)
		if i == 0 {
			self = append([][]byte{field("SP", 0xbe, 0xef, 0)}, self...)
			self = append(self, extensionReference())
		}
		d.self = c.systemUse([]byte{0}, self)
		d.up = c.systemUse([]byte{1}, attributes(d.parent.node, d.parent.links(), epoch))
		for j := range d.entries {
			e := &d.entries[j]
			links := 1
			if e.dir != nil {
				links = e.dir.links()
			}
			fields := append(attributes(e.node, links, epoch), nameFields(e.node.Name())...)
			switch e.node.Mode.Type() {
			case fs.ModeSymlink:
				fields = append(fields, linkFields(e.node.Link)...)
			case fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice:
				fields = append(fields, deviceField(e.node))
			}
			e.rock = c.systemUse(e.id, fields)
		}
	}
}

func field(signature string, data ...byte) []byte {
	return append([]byte{signature[0], signature[1], byte(fieldHead + len(data)), 1}, data...)
}

// extensionReference is the ER field, which says that Rock Ridge is in use.
func extensionReference() []byte {
	return field("ER", append([]byte{byte(len(rrip)), byte(len(rripAbout)), byte(len(rripContact)), 1}, rrip+rripAbout+rripContact...)...)
}

// attributes are the PX field, without the serial number of later versions, and the TF field.
func attributes(n *tree.Node, links int, epoch time.Time) [][]byte {
	px := field("PX", make([]byte, pxLen-fieldHead)...)
	for i, v := range []uint32{tree.UnixMode(n.Mode), uint32(links), n.UID, n.GID} {
		both32(px[fieldHead+8*i:], v)
	}
	t := timeOf(n, epoch)
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
// mean nothing, are dropped, as by every writer: there is no component for them.
func linkFields(target string) [][]byte {
	const room = maxField - fieldHead - 1
	var fields [][]byte
	data := []byte{0}
	next := func() {
		data[0] |= slContinue
		fields, data = append(fields, field("SL", data...)), []byte{0}
	}
	put := func(flags byte, text string) {
		for {
			if room < len(data)-1+2+min(len(text), 1) {
				next()
			}
			n := min(len(text), room-(len(data)-1)-2)
			if n == len(text) {
				data = append(append(data, flags, byte(n)), text...)
				return
			}
			data = append(append(data, flags|slContinue, byte(n)), text[:n]...)
			text = text[n:]
		}
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
	both32(pn[fieldHead:], high)
	both32(pn[fieldHead+8:], low)
	return pn
}

// systemUse is what goes into the record with identifier id: all fields where there is room, else those that fit and a
// CE field that points at the others.
func (c *continuation) systemUse(id []byte, fields [][]byte) []byte {
	return c.split(fields, maxRecord-recordHead(id))
}

// split keeps as many fields as fit into room bytes and stores the others.
func (c *continuation) split(fields [][]byte, room int) []byte {
	n, total := 0, 0
	for _, f := range fields {
		total += len(f)
	}
	if total <= room {
		n = len(fields)
	} else {
		for used := ceLen; used+len(fields[n]) <= room; n++ {
			used += len(fields[n])
		}
	}
	var out []byte
	for _, f := range fields[:n] {
		out = append(out, f...)
	}
	if n < len(fields) {
		out = append(out, c.store(fields[n:])...)
	}
	return out
}

// store adds fields to the area and returns the CE field that points at them. They never cross a sector: what does not
// fit into one has a CE field of its own, and is stored first, so that its place is known.
func (c *continuation) store(fields [][]byte) []byte {
	data := c.split(fields, sector)
	at := start(int64(len(c.data)), len(data))
	c.data = append(c.data, make([]byte, at-int64(len(c.data)))...)
	c.data = append(c.data, data...)
	ce := field("CE", make([]byte, ceLen-fieldHead)...)
	both32(ce[fieldHead:], uint32(c.block+at/sector))
	both32(ce[fieldHead+8:], uint32(at%sector))
	both32(ce[fieldHead+16:], uint32(len(data)))
	return ce
}
