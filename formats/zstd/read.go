package zstd

import (
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/internal/report"
)

// maxWindow is the most memory that a frame may ask for: what the zstd tool makes with --long=27, and the kernel's limit.
const maxWindow = 128 << 20

// NewReader decompresses the frames in r, one after another. More than maxSize bytes of content, a window over 128 MiB
// and anything but frames are Invalid; errors of r come through as they are. The caller closes it, which does not close r.
func NewReader(r io.Reader, maxSize int64) (io.ReadCloser, error) {
	src := &source{r: r}
	dec, err := zstd.NewReader(src, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, err
	}
	return &reader{dec: dec, src: src, left: maxSize, max: maxSize}, nil
}

type reader struct {
	dec       *zstd.Decoder
	src       *source
	left, max int64
}

func (r *reader) Read(p []byte) (int, error) {
	// One byte more than is left shows whether the content ends there.
	if int64(len(p))-1 > r.left {
		p = p[:r.left+1]
	}
	n, err := r.dec.Read(p)
	if int64(n) > r.left {
		n = int(r.left)
		err = report.Errorf(report.Invalid, "zstd: the content is longer than %d bytes", r.max)
	}
	r.left -= int64(n)
	if err == nil || err == io.EOF || report.KindOf(err) != report.Internal {
		return n, err
	}
	if r.src.err != nil {
		return n, r.src.err
	}
	return n, report.Errorf(report.Invalid, "zstd: %w", err)
}

func (r *reader) Close() error {
	r.dec.Close()
	return nil
}

// source keeps the error of the reader below, which is not the frames' fault.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}
