// Package luks2 reads the headers of LUKS2 volumes (LUKS2 On-Disk Format Specification 1.1.3): which key slots and tokens
// there are, where the encrypted data begins, and whether both copies of the header are whole.
//
// A volume begins with two copies of the header, each of a binary part of 4 KiB and JSON, followed by the area of the key
// slots and that of the data. A change raises the sequence number and writes one copy after the other.
//
// Left out: the contents of key slots, decryption, writing, LUKS1. Programs such as cryptsetup do that.
package luks2

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	primaryMagic   = "LUKS\xba\xbe"
	secondaryMagic = "SKUL\xba\xbe"
	version        = 2
	binarySize     = 4096 // of the part before the JSON
	minSize        = 16 << 10
	maxSize        = 4 << 20

	sumAt, sumSize = 448, 64
)

// Slots is how many key slots and tokens there can be; they are numbered from 0.
const Slots = 32

// ErrNone is that there is no LUKS2 header: neither the first nor any place of a second copy has the magic of one.
var ErrNone = report.Errorf(report.NotFound, "luks2: no header")

// Header is a whole copy of a header.
type Header struct {
	Size      int64  // of one copy in bytes, and the offset of the second
	Sequence  uint64 // raised by each change
	Label     string
	Subsystem string
	UUID      string
	Metadata
}

// Copies says what became of the two copies. Each error is nil where the copy is whole and as new as the other.
type Copies struct {
	Primary, Secondary error
}

// Damaged reports whether a copy has to be written anew.
func (c Copies) Damaged() bool { return c.Primary != nil || c.Secondary != nil }

// ErrOld is that a copy is whole but the other one is newer: a change was cut short.
var ErrOld = errors.New("luks2: the copy is older than the other one")

// Read reads the header at the start of b: the newest whole copy. At most 8 MiB are read. The error is ErrNone where there is
// none, of kind Invalid where both copies are damaged, and Unsupported for LUKS1.
func Read(b blob.Blob) (*Header, Copies, error) {
	first, err1 := readCopy(b, 0, primaryMagic)
	second, err2 := readSecond(b, first)
	switch {
	case errors.Is(err1, ErrNone) && errors.Is(err2, ErrNone):
		return nil, Copies{err1, err2}, ErrNone
	case report.KindOf(err1) == report.Unsupported && err2 != nil:
		return nil, Copies{err1, err2}, err1
	case err1 != nil && err2 != nil:
		return nil, Copies{err1, err2}, report.Errorf(report.Invalid, "both copies of the header are damaged: %w; %w", err1, err2)
	case err1 != nil:
		return second, Copies{Primary: err1}, nil
	case err2 != nil:
		return first, Copies{Secondary: err2}, nil
	case first.Sequence < second.Sequence:
		return second, Copies{Primary: ErrOld}, nil
	case first.Sequence > second.Sequence:
		return first, Copies{Secondary: ErrOld}, nil
	}
	return first, Copies{}, nil
}

// readSecond reads the second copy, which is where the first one says, or else at one of the places that the specification
// allows.
func readSecond(b blob.Blob, first *Header) (*Header, error) {
	if first != nil {
		return readCopy(b, first.Size, secondaryMagic)
	}
	damaged := error(ErrNone)
	for at := int64(minSize); at <= maxSize; at *= 2 {
		h, err := readCopy(b, at, secondaryMagic)
		if err == nil {
			return h, nil
		}
		if !errors.Is(err, ErrNone) {
			damaged = err
		}
	}
	return nil, damaged
}

// readCopy reads the copy at off.
func readCopy(b blob.Blob, off int64, magic string) (*Header, error) {
	if b.Size() < off+binarySize {
		return nil, ErrNone
	}
	head := make([]byte, binarySize)
	if err := blob.ReadFull(b, head, off); err != nil {
		return nil, report.Errorf(report.Unavailable, "luks2: header at %d: %w", off, err)
	}
	if string(head[:6]) != magic {
		return nil, ErrNone
	}
	if v := binary.BigEndian.Uint16(head[6:]); v != version {
		return nil, report.Errorf(report.Unsupported, "luks2: header at %d: version %d", off, v)
	}
	size := binary.BigEndian.Uint64(head[8:])
	if size < minSize || size > maxSize || size&(size-1) != 0 || uint64(b.Size()) < uint64(off)+size {
		return nil, report.Errorf(report.Invalid, "luks2: header at %d: a size of %d bytes", off, size)
	}
	if at := binary.BigEndian.Uint64(head[256:]); at != uint64(off) {
		return nil, report.Errorf(report.Invalid, "luks2: header at %d: it belongs at %d", off, at)
	}
	all := make([]byte, size)
	if err := blob.ReadFull(b, all, off); err != nil {
		return nil, report.Errorf(report.Unavailable, "luks2: header at %d: %w", off, err)
	}
	return decode(all, off)
}

// decode checks a whole copy and reads its fields.
func decode(all []byte, off int64) (*Header, error) {
	if err := checkSum(all); err != nil {
		return nil, report.Errorf(report.KindOf(err), "luks2: header at %d: %w", off, err)
	}
	h := &Header{
		Size:      int64(len(all)),
		Sequence:  binary.BigEndian.Uint64(all[16:]),
		Label:     text(all[24:72]),
		UUID:      text(all[168:208]),
		Subsystem: text(all[208:256]),
	}
	metadata, _, _ := bytes.Cut(all[binarySize:], []byte{0})
	if err := h.decodeMetadata(metadata); err != nil {
		return nil, report.Errorf(report.Invalid, "luks2: header at %d: %w", off, err)
	}
	return h, nil
}

// checkSum compares the checksum, which is computed with its own place zero.
func checkSum(all []byte) error {
	var h hash.Hash
	switch name := text(all[72:104]); name {
	case "sha256":
		h = sha256.New()
	case "sha512":
		h = sha512.New()
	case "sha1":
		h = sha1.New()
	default:
		return report.Errorf(report.Unsupported, "checksum algorithm %q", name)
	}
	h.Write(all[:sumAt])
	h.Write(make([]byte, sumSize))
	io.Copy(h, bytes.NewReader(all[sumAt+sumSize:])) // hashes do not fail
	if sum := h.Sum(nil); subtle.ConstantTimeCompare(sum, all[sumAt:sumAt+len(sum)]) != 1 {
		return report.Errorf(report.Invalid, "the checksum is wrong")
	}
	return nil
}

// text is what is before the first NUL.
func text(p []byte) string {
	s, _, _ := strings.Cut(string(p), "\x00")
	return s
}
