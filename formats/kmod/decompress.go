package kmod

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// maxModule is the most that a compressed module may grow to; the largest in-tree module has some 30 MB.
const maxModule = 256 << 20

// Decompress is the module in b as the kernel loads it: b itself, or what the suffix of p says is compressed in it, held
// in memory and at most 256 MiB.
func Decompress(p string, b blob.Blob) (blob.Blob, error) {
	r, done, err := decompressor(p, b)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "module %s: %w", p, err)
	}
	if r == nil {
		return b, nil
	}
	defer done()
	out, err := io.ReadAll(io.LimitReader(r, maxModule+1))
	if err != nil {
		return nil, report.Errorf(report.Invalid, "module %s: decompress: %w", p, err)
	}
	if len(out) > maxModule {
		return nil, report.Errorf(report.Unsupported, "module %s: larger than %d bytes when decompressed", p, maxModule)
	}
	return bytes.NewReader(out), nil
}

// decompressor is nil for a module that is not compressed.
func decompressor(p string, b blob.Blob) (io.Reader, func(), error) {
	nothing := func() {}
	switch path.Ext(p) {
	case ".gz":
		r, err := gzip.NewReader(blob.Reader(b))
		return r, nothing, err
	case ".xz":
		if err := checkDictionary(b); err != nil {
			return nil, nil, err
		}
		r, err := xz.NewReader(blob.Reader(b))
		return r, nothing, err
	case ".zst":
		r, err := zstd.NewReader(blob.Reader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxModule))
		if err != nil {
			return nil, nil, err
		}
		return r, r.Close, nil
	}
	return nil, nil, nil
}

// checkDictionary refuses an xz file (xz-file-format 1.2, sections 2.1.1, 3.1 and 5.3.1) whose first block asks for a
// dictionary larger than a module may be: the decoder would make room for up to 4 GiB before it has read a byte.
func checkDictionary(b blob.Blob) error {
	const streamHeader, lzma2 = 12, 0x21
	var h [1024]byte // the longest block header
	n, _ := b.ReadAt(h[:], streamHeader)
	if n < 2 {
		return io.ErrUnexpectedEOF
	}
	fields := h[2:]
	for _, present := range []byte{0x40, 0x80} { // compressed and uncompressed size, as variable-length integers
		for h[1]&present != 0 && len(fields) > 3 {
			last := fields[0] < 0x80
			fields = fields[1:]
			if last {
				break
			}
		}
	}
	if fields[0] != lzma2 || fields[1] != 1 {
		return errors.New("xz filters other than LZMA2 are not supported")
	}
	if bits := fields[2]; bits > 34 { // 34 is 256 MiB
		return fmt.Errorf("asks for a dictionary larger than %d bytes", maxModule)
	}
	return nil
}
