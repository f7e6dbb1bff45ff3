// Package gzip compresses a Blob as a concatenation of gzip members (RFC 1952, section 2.2), in parallel. The headers hold
// neither a time nor a name.
package gzip

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/frames"
)

// Version names all that Compress's output depends on besides its arguments.
const Version = "gzip 1, klauspost/compress v1.20.3"

// DefaultLevel is gzip's own.
const DefaultLevel = 6

// Compress writes b to w. level is 1 to 9, or 0 for the default. The output is the same on every machine, and memory is
// bounded.
func Compress(ctx context.Context, w io.Writer, b blob.Blob, level int) error {
	if level == 0 {
		level = DefaultLevel
	}
	if _, err := gzip.NewWriterLevel(nil, level); err != nil {
		return err
	}
	encoders := sync.Pool{New: func() any {
		z, _ := gzip.NewWriterLevel(nil, level) // cannot fail: it did not before
		return z
	}}
	return frames.Compress(ctx, w, b, frames.Size, func(p []byte) ([]byte, error) {
		z := encoders.Get().(*gzip.Writer)
		defer encoders.Put(z)
		var out bytes.Buffer
		z.Reset(&out)
		if _, err := z.Write(p); err != nil {
			return nil, err
		}
		err := z.Close()
		return out.Bytes(), err
	})
}
