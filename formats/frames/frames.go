// Package frames compresses a Blob as a concatenation of parts that are compressed independently: in parallel, in bounded
// memory, and with each stretch that is known to be zero compressed once, so that a sparse disk costs what its content costs.
// The formats of gzip, xz and zstd all allow it.
package frames

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/inorder"
)

// Size is the content of a frame in bytes where nothing else is asked for.
const Size = 2 << 20

// Compress writes b to w: for each size bytes of it, what encode makes of them. encode is called by several goroutines,
// must give the same bytes for the same content, and may keep nothing of p. Empty content is one empty frame.
func Compress(ctx context.Context, w io.Writer, b blob.Blob, size int64, encode func(p []byte) ([]byte, error)) error {
	n := max(1, int((b.Size()+size-1)/size))
	zeros := zeroFrames{size: size, encode: encode, made: map[int64][]byte{}}
	holes := blob.Holes(b)
	empty := make([]bool, n)
	for _, h := range holes {
		for i := (h.Offset + size - 1) / size; i < int64(n) && min((i+1)*size, b.Size()) <= h.Offset+h.Length; i++ {
			empty[i] = i*size < b.Size()
		}
	}
	return inorder.Run(ctx, n, func(ctx context.Context, i int) ([]byte, error) {
		at := int64(i) * size
		length := min(size, b.Size()-at)
		if empty[i] {
			return zeros.frame(length)
		}
		p := make([]byte, length)
		if err := blob.ReadFull(b, p, at); err != nil {
			return nil, fmt.Errorf("read %d bytes at %d: %w", length, at, err)
		}
		return encode(p)
	}, func(p []byte) error {
		_, err := w.Write(p)
		return err
	})
}

// zeroFrames keeps the frames of zeros by their length.
type zeroFrames struct {
	size   int64
	encode func([]byte) ([]byte, error)

	mu   sync.Mutex
	made map[int64][]byte
}

func (z *zeroFrames) frame(length int64) ([]byte, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if p, ok := z.made[length]; ok {
		return p, nil
	}
	p, err := z.encode(make([]byte, length))
	z.made[length] = p
	return p, err
}
