// Package xz compresses a Blob as a concatenation of xz streams (The .xz File Format 1.2, section 2), in parallel.
package xz

import (
	"bytes"
	"context"
	"io"

	"github.com/ulikunitz/xz"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/frames"
)

// Version names all that Compress's output depends on besides its arguments.
const Version = "xz 1, ulikunitz/xz v0.5.15"

// frameSize is larger than that of faster formats: the dictionary starts empty with each.
const frameSize = 4 * frames.Size

// Compress writes b to w. The output is the same on every machine, and memory is bounded: some 30 MiB a processor.
func Compress(ctx context.Context, w io.Writer, b blob.Blob) error {
	config := xz.WriterConfig{DictCap: frameSize, CheckSum: xz.CRC64}
	return frames.Compress(ctx, w, b, frameSize, func(p []byte) ([]byte, error) {
		var out bytes.Buffer
		z, err := config.NewWriter(&out)
		if err != nil {
			return nil, err
		}
		if _, err := z.Write(p); err != nil {
			return nil, err
		}
		err = z.Close()
		return out.Bytes(), err
	})
}

// NewReader unpacks what r has: one stream or several, with their checksums.
func NewReader(r io.Reader) (io.Reader, error) { return xz.NewReader(r) }
