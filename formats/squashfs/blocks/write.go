package blocks

import (
	"context"
	"io"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/formats/tree"
)

// Options of Write and Open; both fields must be set.
type Options struct {
	Size  int // content bytes of a block
	Level int // as the zstd tool numbers them
}

// NewEncoder compresses blocks of up to size bytes. The kernel keeps no window longer than a block, so each frame is a single
// segment, and no checksum, which mksquashfs leaves out too.
func NewEncoder(level, size int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(level)),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(size),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true),
	)
}

// Write writes the blocks of nodes to w, one behind another, then their index.
func Write(ctx context.Context, w io.Writer, nodes []*tree.Node, o Options) error {
	files := contents(nodes)
	encoders := make([]*zstd.Encoder, runtime.GOMAXPROCS(0))
	for i := range encoders {
		var err error
		if encoders[i], err = NewEncoder(o.Level, o.Size); err != nil {
			return err
		}
	}
	line := newPipeline(2 * len(encoders))
	pack := newPacker(o.Size, line)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer line.close()
		return pack.files(gctx, files)
	})
	for _, enc := range encoders {
		g.Go(func() error { return line.compress(enc) })
	}
	g.Go(func() error { return line.write(gctx, w) })
	if err := g.Wait(); err != nil {
		return err
	}
	pack.index.Blocks = line.blocks
	_, err := w.Write(pack.index.encode(fingerprint(files)))
	return err
}

// contents are the files among nodes that have some.
func contents(nodes []*tree.Node) []*tree.Node {
	var out []*tree.Node
	for _, n := range nodes {
		if HasContent(n) {
			out = append(out, n)
		}
	}
	return out
}

// HasContent reports whether n is a file with a place in an Index.
func HasContent(n *tree.Node) bool { return n.Mode.IsRegular() && n.Size() > 0 }
