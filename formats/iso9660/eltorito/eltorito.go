// Package eltorito encodes and reads boot catalogues, as the El Torito bootable CD-ROM format specification 1.0 has them
// and UEFI section 13.3.2.1 uses them: a validation entry, a default entry, and sections with further entries.
//
// Left out: selection criteria and their extensions (skipped), the identification texts, and catalogues longer than one
// sector.
package eltorito

import (
	"encoding/binary"

	"github.com/bootwright/bootwright/internal/report"
)

// Size is the length of a catalogue, a sector.
const Size = 2048

// MaxEntries is how many entries a catalogue holds when each has a section of its own.
const MaxEntries = Size / entrySize / 2

// Offsets in entries, of which each has 32 bytes, and values in them.
const (
	entrySize         = 32
	validationID      = 1
	validationSum     = 28
	validationKey     = 30
	headerMore        = 0x90
	headerLast        = 0x91
	entryExtension    = 0x44
	entryBootable     = 0x88
	offPlatform       = 1
	offSectionEntries = 2
	offMedia          = 1
	offSectors        = 6
	offBlock          = 8
)

// Entry is a boot image.
type Entry struct {
	Platform  byte // 0 for BIOS, 0xef for EFI
	Bootable  bool
	Emulation byte   // 0 none, 1 to 3 a floppy of 1.2, 1.44 or 2.88 MB, 4 a hard disk
	Sectors   uint16 // of 512 bytes, to be loaded
	Block     uint32 // of 2048 bytes, where the image begins
}

// Encode is the catalogue of one to MaxEntries bootable entries without emulation. The first is the default one; each
// further one has a section of its own.
func Encode(entries []Entry) []byte {
	le := binary.LittleEndian
	out := make([]byte, Size)
	out[0], out[offPlatform] = validationID, entries[0].Platform
	out[validationKey], out[validationKey+1] = 0x55, 0xaa
	le.PutUint16(out[validationSum:], -checksum(out[:entrySize]))
	at := out[entrySize:]
	for i, e := range entries {
		if i > 0 {
			at[0], at[offPlatform] = headerMore, e.Platform
			if i == len(entries)-1 {
				at[0] = headerLast
			}
			le.PutUint16(at[offSectionEntries:], 1)
			at = at[entrySize:]
		}
		at[0] = entryBootable
		le.PutUint16(at[offSectors:], e.Sectors)
		le.PutUint32(at[offBlock:], e.Block)
		at = at[entrySize:]
	}
	return out
}

// checksum adds up 16-bit words; that of a whole validation entry is zero.
func checksum(p []byte) (sum uint16) {
	for at := 0; at < len(p); at += 2 {
		sum += binary.LittleEndian.Uint16(p[at:])
	}
	return sum
}

// Parse reads the catalogue in p, a sector.
func Parse(p []byte) ([]Entry, error) {
	if p[0] != validationID || p[validationKey] != 0x55 || p[validationKey+1] != 0xaa || checksum(p[:entrySize]) != 0 {
		return nil, report.Errorf(report.Invalid, "boot catalogue does not begin with a valid entry")
	}
	var out []Entry
	platform, left := p[offPlatform], 1 // the default entry
	for p = p[entrySize:]; len(p) > 0; p = p[entrySize:] {
		switch {
		case p[0] == entryExtension:
		case left > 0:
			left--
			out = append(out, Entry{
				Platform:  platform,
				Bootable:  p[0] == entryBootable,
				Emulation: p[offMedia] & 0xf,
				Sectors:   binary.LittleEndian.Uint16(p[offSectors:]),
				Block:     binary.LittleEndian.Uint32(p[offBlock:]),
			})
		case p[0] == headerMore || p[0] == headerLast:
			platform, left = p[offPlatform], int(binary.LittleEndian.Uint16(p[offSectionEntries:]))
		default:
			return out, nil
		}
	}
	return out, nil
}
