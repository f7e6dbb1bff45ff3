package vmdk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zlib"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// grains are compressed ones that follow each other in the disk: a Blob that inflates those that it is read from.
type grains struct {
	unpacker *unpacker
	first    int64    // number in the disk
	at       []uint32 // the sector of each one's marker
	size     int64    // inflated
}

// Size is the length in bytes.
func (g *grains) Size() int64 { return g.size }

// ReadAt follows io.ReaderAt.
func (g *grains) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	done := 0
	for grain := g.unpacker.grain; done < len(p) && off < g.size; {
		i, within := off/grain, off%grain
		n, err := g.unpacker.copy(p[done:], within, g.first+i, int64(g.at[i])*sector, min(grain, g.size-i*grain))
		if err != nil {
			return done, err
		}
		done, off = done+n, off+int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// unpacker inflates the grains of an image. It keeps the last, which whoever reads in order comes back for.
type unpacker struct {
	image blob.Blob
	grain int64 // bytes

	mu       sync.Mutex
	number   int64 // of the grain in content; -1 for none
	content  bytes.Buffer
	packed   []byte
	inflater io.ReadCloser // nil until there was one
}

// copy fills p from byte off on of a grain that is at byte at of the image and has size bytes of the disk.
func (u *unpacker) copy(p []byte, off, number, at, size int64) (int, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if number != u.number {
		u.number = -1
		if err := u.unpack(number, at, size); err != nil {
			return 0, fmt.Errorf("vmdk: grain %d, at byte %d: %w", number, at, err)
		}
		u.number = number
	}
	return copy(p, u.content.Bytes()[off:size]), nil
}

const markerSize = 12 // of a grain, right before its data

func (u *unpacker) unpack(number, at, size int64) error {
	var p [markerSize]byte
	if err := blob.ReadFull(u.image, p[:], at); err != nil {
		return err
	}
	lba, n := binary.LittleEndian.Uint64(p[:]), int64(binary.LittleEndian.Uint32(p[8:]))
	switch {
	case lba != uint64(number*u.grain/sector):
		return report.Errorf(report.Invalid, "its marker is for sector %d of the disk", lba)
	case n == 0 || n > 2*u.grain || n > u.image.Size()-at-markerSize:
		return report.Errorf(report.Invalid, "its marker is for %d bytes, compressed", n)
	}
	u.packed = slices.Grow(u.packed[:0], int(n))[:n]
	if err := blob.ReadFull(u.image, u.packed, at+markerSize); err != nil {
		return err
	}
	if err := u.reset(); err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	u.content.Reset()
	got, err := u.content.ReadFrom(io.LimitReader(u.inflater, u.grain+1))
	if err != nil {
		return report.Errorf(report.Invalid, "%w", err)
	}
	if got < size || got > u.grain {
		return report.Errorf(report.Invalid, "inflates to %d bytes, not %d", got, size)
	}
	return nil
}

// reset lets the inflater begin with what is packed.
func (u *unpacker) reset() (err error) {
	r := bytes.NewReader(u.packed)
	if z, ok := u.inflater.(zlib.Resetter); ok {
		return z.Reset(r, nil)
	}
	u.inflater, err = zlib.NewReader(r)
	return err
}
