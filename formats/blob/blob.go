package blob

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Blob is bytes of known length. ReadAt follows io.ReaderAt and must be safe for concurrent use; at the end it returns
// io.EOF with the bytes that were there. *bytes.Reader and *io.SectionReader are Blobs. A Blob must be comparable
// (a pointer or a small struct): identity is how two images are seen to share content (see Locate).
type Blob interface {
	io.ReaderAt
	Size() int64
}

// Bytes is a Blob over p, which must not change afterwards.
func Bytes(p []byte) Blob { return bytes.NewReader(p) }

// String is a Blob over s.
func String(s string) Blob { return strings.NewReader(s) }

// Zeros is a Blob of n zero bytes that takes no memory; in an Image it is a hole.
func Zeros(n int64) Blob { return zeros(n) }

type zeros int64

func (z zeros) Size() int64 { return int64(z) }

func (z zeros) ReadAt(p []byte, off int64) (int, error) {
	n, err := clip(p, off, int64(z))
	clear(p[:n])
	return n, err
}

// Slice is the n bytes of b from off. It panics if the range is not inside b: the caller computed it.
func Slice(b Blob, off, n int64) Blob {
	if off < 0 || n < 0 || off > b.Size()-n {
		panic(fmt.Sprintf("blob: slice [%d,+%d) outside %d bytes", off, n, b.Size()))
	}
	if off == 0 && n == b.Size() {
		return b
	}
	if z, ok := b.(zeros); ok && int64(z) >= n {
		return zeros(n)
	}
	if s, ok := b.(section); ok {
		return section{s.b, s.off + off, n}
	}
	return section{b, off, n}
}

// Offset is where part, which Slice cut out of b, begins in it.
func Offset(b, part Blob) (off int64, ok bool) {
	if s, isSlice := part.(section); isSlice && s.b == b {
		return s.off, true
	}
	return 0, part == b
}

// section is a comparable io.SectionReader, so that two equal slices are the same content to Locate.
type section struct {
	b      Blob
	off, n int64
}

func (s section) Size() int64 { return s.n }

func (s section) ReadAt(p []byte, off int64) (int, error) {
	n, err := clip(p, off, s.n)
	if n == 0 {
		return 0, err
	}
	m, rerr := s.b.ReadAt(p[:n], s.off+off)
	if m < n {
		return m, short(rerr)
	}
	return m, err
}

// clip is the number of bytes of p that a read at off of size bytes can fill, and the error that goes with it.
func clip(p []byte, off, size int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if off >= size {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	if int64(len(p)) > size-off {
		return int(size - off), io.EOF
	}
	return len(p), nil
}

// short turns the end of a Blob that promised more bytes into an error of its own: it must never look like a clean end.
func short(err error) error {
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadAll is the content of b, refused when it is longer than max bytes.
func ReadAll(b Blob, max int64) ([]byte, error) {
	if b.Size() > max {
		return nil, fmt.Errorf("%d bytes, more than the %d that are read into memory", b.Size(), max)
	}
	p := make([]byte, b.Size())
	if err := ReadFull(b, p, 0); err != nil {
		return nil, err
	}
	return p, nil
}

// ReadFull fills p from b at off; anything less is an error, io.ErrUnexpectedEOF where b ends.
func ReadFull(b Blob, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := b.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return short(err)
}

// Reader reads b from its start, in order.
func Reader(b Blob) *io.SectionReader { return io.NewSectionReader(b, 0, b.Size()) }
