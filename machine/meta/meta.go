// Package meta is the META partition: a few small values that a machine needs before its configuration can be read, such
// as the one that says how the configuration's own partition is encrypted.
//
// The partition has 1 MiB. It starts with two copies of 256 KiB of the same list, so that a write that is cut short spoils
// at most one. A copy, all numbers big-endian:
//
//	0           magic 5a4b3c2d
//	4           entries: tag (4 bytes), length (4 bytes), value; tag 0 ends them
//	size - 36   SHA-256 of the copy with these 32 bytes zero
//	size - 4    magic a5b4c3d2
//
// Left out: the older list of syslinux at the partition's end, which is neither read nor written.
package meta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bootwright/bootwright/internal/report"
)

// Size of the partition, and of each copy at its start, in bytes.
const (
	Size     = 1 << 20
	CopySize = 256 << 10
)

// Tag names a value. Those of the field have constants; a machine keeps others as they are.
type Tag uint8

// The tags.
const (
	Upgrade              Tag = 0x06 // the boot entry to fall back to
	StagedUpgradeImage   Tag = 0x07 // reference of the installer of an upgrade at the next boot
	StagedUpgradeOptions Tag = 0x08 // its options, JSON
	StateEncryption      Tag = 0x09 // how STATE is encrypted, JSON
	MetalNetworkPlatform Tag = 0x0a // network of a bare machine, YAML
	DownloadURLCode      Tag = 0x0b // value of ${code} in talos.config
	UserReserved1        Tag = 0x0c
	UserReserved2        Tag = 0x0d
	UserReserved3        Tag = 0x0e
	UUIDOverride         Tag = 0x0f // the machine's UUID, where its firmware has a wrong one
	UniqueMachineToken   Tag = 0x10
	DiskImageBootloader  Tag = 0x11 // the boot loader of a disk image, until the first boot
	StateAuthorities     Tag = 0xb0 // not of the field: PEM, whom the services with the keys of STATE are trusted by
)

const (
	magicStart = 0x5a4b3c2d
	magicEnd   = 0xa5b4c3d2
	sumAt      = CopySize - 36
	endAt      = CopySize - 4
)

// Values are the values by tag. A nil map has none.
type Values map[Tag][]byte

// Encode is the start of a partition that holds v: two copies, 512 KiB. The same values give the same bytes. The error is
// Invalid where they do not fit or a tag is 0.
func Encode(v Values) ([]byte, error) {
	one, err := encodeCopy(v)
	return append(one, one...), err
}

func encodeCopy(v Values) ([]byte, error) {
	p := make([]byte, 4, CopySize)
	binary.BigEndian.PutUint32(p, magicStart)
	for _, tag := range slices.Sorted(maps.Keys(v)) {
		if tag == 0 {
			return nil, report.Errorf(report.Invalid, "meta: tag 0 ends the list and cannot have a value")
		}
		p = binary.BigEndian.AppendUint32(p, uint32(tag))
		p = binary.BigEndian.AppendUint32(p, uint32(len(v[tag])))
		p = append(p, v[tag]...)
	}
	if len(p)+8 > sumAt {
		return nil, report.Errorf(report.Invalid, "meta: the values take %d bytes; there is room for %d", len(p)-4, sumAt-12)
	}
	p = append(p, make([]byte, CopySize-len(p))...)
	binary.BigEndian.PutUint32(p[endAt:], magicEnd)
	sum := sha256.Sum256(p)
	copy(p[sumAt:], sum[:])
	return p, nil
}

// ErrEmpty is that a partition holds no list: its start is zero.
var ErrEmpty = report.Errorf(report.NotFound, "meta: no values were ever written")

// Read reads the first whole copy of the partition r. damaged says what is wrong with the other one, if it is not its
// equal; Write mends it. The error is ErrEmpty for a new partition, and of kind Invalid where both copies are damaged.
func Read(r io.ReaderAt) (v Values, damaged error, err error) {
	first, err1 := readCopy(r, 0)
	second, err2 := readCopy(r, CopySize)
	switch {
	case err1 == nil && err2 == nil && !maps.EqualFunc(first, second, bytes.Equal):
		return first, errors.New("meta: the second copy is older than the first"), nil
	case err1 == nil && err2 == nil:
		return first, nil, nil
	case err1 == nil:
		return first, fmt.Errorf("second copy: %w", err2), nil
	case err2 == nil:
		return second, fmt.Errorf("first copy: %w", err1), nil
	case errors.Is(err1, ErrEmpty) && errors.Is(err2, ErrEmpty):
		return nil, nil, ErrEmpty
	}
	return nil, nil, report.Errorf(report.Invalid, "both copies are damaged: %w; %w", err1, err2)
}

func readCopy(r io.ReaderAt, at int64) (Values, error) {
	p := make([]byte, CopySize)
	if n, err := r.ReadAt(p, at); n < len(p) {
		return nil, fmt.Errorf("meta: read %d bytes at %d: %w", len(p), at, err)
	}
	return decodeCopy(p)
}

func decodeCopy(p []byte) (Values, error) {
	if len(bytes.TrimLeft(p, "\x00")) == 0 {
		return nil, ErrEmpty
	}
	if binary.BigEndian.Uint32(p) != magicStart || binary.BigEndian.Uint32(p[endAt:]) != magicEnd {
		return nil, report.Errorf(report.Invalid, "meta: no list of values (magic %x … %x)", p[:4], p[endAt:])
	}
	sum := [32]byte(p[sumAt:endAt])
	whole := bytes.Clone(p)
	clear(whole[sumAt:endAt])
	if sha256.Sum256(whole) != sum {
		return nil, report.Errorf(report.Invalid, "meta: the checksum is wrong")
	}
	return decodeEntries(p[4:sumAt])
}

func decodeEntries(p []byte) (Values, error) {
	v := Values{}
	for {
		if len(p) < 8 {
			return nil, report.Errorf(report.Invalid, "meta: the list has no end")
		}
		tag, size := binary.BigEndian.Uint32(p), binary.BigEndian.Uint32(p[4:])
		if tag == 0 {
			return v, nil
		}
		if tag > 255 || uint64(size) > uint64(len(p)-8) {
			return nil, report.Errorf(report.Invalid, "meta: tag %#x with a value of %d bytes", tag, size)
		}
		v[Tag(tag)] = bytes.Clone(p[8 : 8+size])
		p = p[8+size:]
	}
}

// Partition is what Write writes to.
type Partition interface {
	io.WriterAt
	Sync() error
}

// Write replaces the values of a partition: one copy after the other, each on the disk before the next is touched, so that
// a power cut leaves the old values or the new.
func Write(p Partition, v Values) error {
	one, err := encodeCopy(v)
	if err != nil {
		return err
	}
	for _, at := range []int64{0, CopySize} {
		if _, err := p.WriteAt(one, at); err != nil {
			return fmt.Errorf("meta: write the copy at %d: %w", at, err)
		}
		if err := p.Sync(); err != nil {
			return fmt.Errorf("meta: write the copy at %d: %w", at, err)
		}
	}
	return nil
}
