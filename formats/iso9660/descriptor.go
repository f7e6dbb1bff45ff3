package iso9660

import (
	"encoding/binary"
	"strings"
	"time"

	"github.com/bootwright/bootwright/formats/iso9660/record"
)

// Types of volume descriptors (section 8.1.1).
const (
	typeBoot          = 0
	typePrimary       = 1
	typeSupplementary = 2
	typeTerminator    = 255
)

// Offsets in volume descriptors (sections 8.2 and 8.4; El Torito section 2.0).
const (
	vdIdentifier  = 1
	vdVersion     = 6
	bootSystem    = 7
	bootCatalog   = 71
	vdVolume      = 40
	vdBlocks      = 80
	vdEscape      = 88
	vdSetSize     = 120
	vdSequence    = 124
	vdBlockSize   = 128
	vdTableSize   = 132
	vdTableL      = 140
	vdTableM      = 148
	vdRoot        = 156
	vdVolumeSet   = 190
	vdPublisher   = 318
	vdPreparer    = 446
	vdApplication = 574
	vdFiles       = 702 // copyright, abstract and bibliographic files, 37 bytes each
	vdCreated     = 813
	vdModified    = 830
	vdExpires     = 847
	vdEffective   = 864
	vdStructure   = 881
	standardID    = "CD001"
	elTorito      = "EL TORITO SPECIFICATION"
	jolietEscape  = "%/E"
)

// descriptors are the volume descriptors, a sector each.
func (p *plan) descriptors() [][]byte {
	out := [][]byte{p.volumeDescriptor(typePrimary, p.primary, func(s string) []byte { return []byte(s) }, " ")}
	if len(p.Boot) > 0 { // in sector 17, where firmware looks
		d := descriptor(typeBoot)
		copy(d[bootSystem:], elTorito)
		binary.LittleEndian.PutUint32(d[bootCatalog:], p.catalog)
		out = append(out, d)
	}
	if p.joliet != nil {
		d := p.volumeDescriptor(typeSupplementary, p.joliet, ucs2, "\x00 ")
		copy(d[vdEscape:], jolietEscape)
		out = append(out, d)
	}
	return append(out, descriptor(typeTerminator))
}

func descriptor(kind byte) []byte {
	d := make([]byte, sector)
	d[0] = kind
	copy(d[vdIdentifier:], standardID)
	d[vdVersion] = 1
	return d
}

// volumeDescriptor is the primary descriptor, or with other text and another hierarchy that of Joliet.
func (p *plan) volumeDescriptor(kind byte, h *hierarchy, text func(string) []byte, blank string) []byte {
	d := descriptor(kind)
	put := func(from, to int, s string) {
		copy(d[from:to], strings.Repeat(blank, (to-from)/len(blank)))
		copy(d[from:to], text(s))
	}
	put(8, vdVolume, "")
	put(vdVolume, vdVolume+32, p.VolumeID)
	put(vdVolumeSet, vdPublisher, "")
	put(vdPublisher, vdPreparer, p.Publisher)
	put(vdPreparer, vdApplication, p.Preparer)
	put(vdApplication, vdFiles, p.Application)
	for i := range 3 {
		put(vdFiles+37*i, vdFiles+37*(i+1), "")
	}
	record.Both32(d[vdBlocks:], uint32(p.blocks))
	record.Both16(d[vdSetSize:], 1)
	record.Both16(d[vdSequence:], 1)
	record.Both16(d[vdBlockSize:], sector)
	size := h.tableSize()
	record.Both32(d[vdTableSize:], uint32(size))
	binary.LittleEndian.PutUint32(d[vdTableL:], uint32(h.tables))
	binary.BigEndian.PutUint32(d[vdTableM:], uint32(h.tables+blocksOf(size)))
	root := h.dirs[0].record([]byte{0}, nil, p.Epoch)
	root.Put(d[vdRoot : vdRoot+record.Len(root.ID, nil)])
	for _, at := range []int{vdCreated, vdModified, vdExpires, vdEffective} {
		t := p.Epoch
		if at > vdModified {
			t = time.Time{}
		}
		copy(d[at:], record.VolumeTime(t))
	}
	d[vdStructure] = 1
	return d
}
