package gpt

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// GUID is an identifier in the byte order of its text form, as RFC 9562 has UUIDs, so that a UUID converts to it
// unchanged. On disk its first three fields are little-endian (UEFI 2.10, appendix A); only this package sees that.
type GUID [16]byte

// EFISystem is the type of an EFI system partition.
func EFISystem() GUID { return mustParse("C12A7328-F81F-11D2-BA4B-00A0C93EC93B") }

// BIOSBoot is the type of the partition that holds GRUB's core image on a BIOS machine.
func BIOSBoot() GUID { return mustParse("21686148-6449-6E6F-744E-656564454649") }

// LinuxFilesystem is the type of Linux data of no further meaning.
func LinuxFilesystem() GUID { return mustParse("0FC63DAF-8483-4772-8E79-3D69D8477DE4") }

// ParseGUID reads the text form of RFC 9562, in either case.
func ParseGUID(s string) (GUID, error) {
	var g GUID
	digits := strings.ReplaceAll(s, "-", "")
	if n, err := hex.Decode(g[:], []byte(digits[:min(len(digits), 32)])); n != len(g) || err != nil || !strings.EqualFold(g.String(), s) {
		return GUID{}, report.Errorf(report.Invalid, "%.80q is not a GUID; it should look like C12A7328-F81F-11D2-BA4B-00A0C93EC93B", s)
	}
	return g, nil
}

func mustParse(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// String is the text form in upper case, as UEFI and sgdisk write it.
func (g GUID) String() string {
	return fmt.Sprintf("%X-%X-%X-%X-%X", g[0:4], g[4:6], g[6:8], g[8:10], g[10:])
}

// IsZero reports whether g is the nil GUID, which marks an unused entry.
func (g GUID) IsZero() bool { return g == GUID{} }

// swapped converts between the text order and the mixed-endian order on disk; it is its own inverse.
func (g GUID) swapped() GUID {
	le := g
	binary.LittleEndian.PutUint32(le[0:], binary.BigEndian.Uint32(g[0:]))
	binary.LittleEndian.PutUint16(le[4:], binary.BigEndian.Uint16(g[4:]))
	binary.LittleEndian.PutUint16(le[6:], binary.BigEndian.Uint16(g[6:]))
	return le
}

// derived is a GUID of version 8 (RFC 9562, 5.8) that depends on seed alone.
func derived(seed string) GUID {
	sum := sha256.Sum256([]byte(seed))
	g := GUID(sum[:16])
	g[6] = g[6]&0x0F | 0x80
	g[8] = g[8]&0x3F | 0x80
	return g
}
