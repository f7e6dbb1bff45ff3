// Package vhd lays out and reads fixed disks of Microsoft's Virtual Hard Disk format (Virtual Hard Disk Image Format
// Specification 1.0): the disk's bytes and a footer of 512 behind them.
//
// Left out: dynamic and differencing disks, whose tables gain nothing where an image is compressed or sparse anyway.
package vhd

import (
	"encoding/binary"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

const (
	footerSize = 512
	mib        = 1 << 20

	cookie    = "conectix"
	fixed     = 2
	noOffset  = 1<<64 - 1
	reserved  = 2          // the bit of the features that is always set
	version   = 0x00010000 // of the format
	epochYear = 2000       // its times count from the start of this year

	// geometry is the largest there is: 65,535 cylinders, 16 heads, 255 sectors. Readers then take the size that the footer
	// states, and not a smaller one that cylinders, heads and sectors can express.
	geometry = "\xff\xff\x10\xff"
)

// Options are for Format.
type Options struct {
	ID    [16]byte  // the disk's UUID; it must not be zero
	Epoch time.Time // when the disk was made; one before 2000 counts as 2000
}

// Format is disk as a fixed VHD, its size rounded up to whole MiB, which Azure asks for.
func Format(disk blob.Blob, o Options) (*blob.Image, error) {
	size := blob.Align(disk.Size(), mib)
	if size > 2040<<30 {
		return nil, report.Errorf(report.Unsupported, "vhd: a disk of %d bytes; the format ends at 2040 GiB", size)
	}
	if o.ID == [16]byte{} {
		return nil, report.Errorf(report.Invalid, "vhd: the disk needs an identifier")
	}
	return blob.NewImage(size+footerSize,
		blob.Extent{Name: "disk", Blob: disk},
		blob.Extent{Name: "footer", Offset: size, Blob: blob.Bytes(footer(size, o))},
	)
}

func footer(size int64, o Options) []byte {
	p := make([]byte, footerSize)
	copy(p, cookie)
	binary.BigEndian.PutUint32(p[8:], reserved)
	binary.BigEndian.PutUint32(p[12:], version)
	binary.BigEndian.PutUint64(p[16:], noOffset)
	binary.BigEndian.PutUint32(p[24:], seconds(o.Epoch))
	copy(p[28:], "win ")                             // whose readers take the size as it is
	binary.BigEndian.PutUint32(p[32:], 0x000a0000)   // 10.0
	copy(p[36:], "Wi2k")                             // creator host: Windows, the only one besides Macintosh
	binary.BigEndian.PutUint64(p[40:], uint64(size)) // when made
	binary.BigEndian.PutUint64(p[48:], uint64(size)) // now
	copy(p[56:], geometry)
	binary.BigEndian.PutUint32(p[60:], fixed)
	copy(p[68:], o.ID[:])
	binary.BigEndian.PutUint32(p[64:], checksum(p))
	return p
}

func seconds(t time.Time) uint32 {
	return uint32(max(0, t.Unix()-time.Date(epochYear, 1, 1, 0, 0, 0, 0, time.UTC).Unix()))
}

// checksum is the complement of the sum of all bytes but its own four.
func checksum(p []byte) uint32 {
	var sum uint32
	for i, b := range p {
		if i < 64 || i >= 68 {
			sum += uint32(b)
		}
	}
	return ^sum
}

// Read is the disk in the fixed VHD b. Without a footer the error is NotFound; one that is damaged is Invalid, and a disk of
// another kind Unsupported.
func Read(b blob.Blob) (blob.Blob, error) {
	p := make([]byte, footerSize)
	if b.Size() < footerSize {
		return nil, report.Errorf(report.NotFound, "not a vhd: %d bytes", b.Size())
	}
	if err := blob.ReadFull(b, p, b.Size()-footerSize); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint64(p[48:])
	switch kind := binary.BigEndian.Uint32(p[60:]); {
	case string(p[:8]) != cookie:
		return nil, report.Errorf(report.NotFound, "not a vhd: no footer at %d", b.Size()-footerSize)
	case binary.BigEndian.Uint32(p[64:]) != checksum(p):
		return nil, report.Errorf(report.Invalid, "vhd: the footer's checksum is wrong")
	case kind != fixed:
		return nil, report.Errorf(report.Unsupported, "vhd: disk type %d; only fixed ones (2) are read", kind)
	case size != uint64(b.Size()-footerSize):
		return nil, report.Errorf(report.Invalid, "vhd: the footer says %d bytes, the file has %d", size, b.Size()-footerSize)
	}
	return blob.Slice(b, 0, int64(size)), nil
}
