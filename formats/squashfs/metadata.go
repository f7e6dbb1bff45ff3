package squashfs

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
	"github.com/bootwright/bootwright/internal/report"
)

// metadata is an unpacked block of inodes, folders or tables.
type metadata struct {
	content []byte
	next    uint64 // offset of the one behind it
}

// block is the metadata block at offset off; each is unpacked once.
func (im *image) block(off uint64) (*metadata, error) {
	if m := im.blocks[int64(off)]; m != nil {
		return m, nil
	}
	var head [2]byte
	if err := im.readAt(head[:], off); err != nil {
		return nil, err
	}
	h := binary.LittleEndian.Uint16(head[:])
	p := make([]byte, h&^blocks.RawMetadata)
	if err := im.readAt(p, off+2); err != nil {
		return nil, err
	}
	m := &metadata{p, off + 2 + uint64(len(p))}
	if h&blocks.RawMetadata == 0 {
		var err error
		if m.content, err = im.unpack(p, blocks.MetadataSize); err != nil {
			return nil, report.Errorf(report.Invalid, "metadata at offset %d: %w", off, err)
		}
	}
	if len(m.content) == 0 || len(m.content) > blocks.MetadataSize {
		return nil, report.Errorf(report.Invalid, "metadata at offset %d: %d bytes", off, len(m.content))
	}
	if err := im.take(1, len(m.content)); err != nil {
		return nil, err
	}
	im.blocks[int64(off)] = m
	return m, nil
}

// cursor reads metadata on, from one block to the next.
type cursor struct {
	im     *image
	block  uint64 // offset in the image
	offset uint16 // in the unpacked block
}

func (c *cursor) read(p []byte) error {
	for len(p) > 0 {
		m, err := c.im.block(c.block)
		if err != nil {
			return err
		}
		switch {
		case int(c.offset) < len(m.content):
			n := copy(p, m.content[c.offset:])
			p, c.offset = p[n:], c.offset+uint16(n)
		case int(c.offset) == len(m.content):
			c.block, c.offset = m.next, 0
		default:
			return report.Errorf(report.Invalid, "byte %d of a metadata block of %d", c.offset, len(m.content))
		}
	}
	return nil
}

// decode reads the value that v points to, or the slice v, of fixed size.
func (c *cursor) decode(v any) error {
	p := make([]byte, binary.Size(v))
	if err := c.read(p); err != nil {
		return err
	}
	_, err := binary.Decode(p, binary.LittleEndian, v)
	return err
}

// unpacker unpacks a block of at most most bytes.
type unpacker func(p []byte, most int) ([]byte, error)

// The compressors, by their numbers.
const (
	zlibID = 1
	zstdID = 6
)

// newUnpacker is that of the compressor with that number, for blocks of up to size bytes.
func newUnpacker(compression uint16, size int) (unpacker, error) {
	switch compression {
	case zlibID:
		return inflate, nil
	case zstdID:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(size, blocks.MetadataSize))))
		if err != nil {
			return nil, err
		}
		return func(p []byte, most int) ([]byte, error) { return d.DecodeAll(p, make([]byte, 0, most)) }, nil
	}
	return nil, report.Errorf(report.Unsupported, "compressor %d; zlib (1) and zstd (6) are known", compression)
}

func inflate(p []byte, most int) ([]byte, error) {
	z, err := zlib.NewReader(bytes.NewReader(p))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(z, int64(most)+1))
}
