package squashfs

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// Encoder names all that the outputs of Compress and Format depend on besides their arguments. It belongs into every key
// under which they are kept.
const Encoder = "squashfs 1 zstd, klauspost/compress v1.20.3"

// DefaultBlockSize is the content of a block where WriteOptions say nothing, as in mksquashfs.
const DefaultBlockSize = 128 << 10

// defaultLevel takes a third longer than 3 and saves a fiftieth; the next one takes six times as long for a twentieth.
const defaultLevel = 9

// WriteOptions are those of Compress and Format, which want the same; the zero value works.
type WriteOptions struct {
	Epoch     time.Time // the image's time, and that of files without one; zero means 1970
	BlockSize int       // content bytes of a block: a power of two from 4 KiB to 1 MiB; zero means DefaultBlockSize
	Level     int       // as the zstd tool numbers them, mapped to the encoder's four; zero means 9
}

// complete fills in what o leaves open.
func (o WriteOptions) complete() (WriteOptions, error) {
	if o.BlockSize == 0 {
		o.BlockSize = DefaultBlockSize
	}
	if o.Level == 0 {
		o.Level = defaultLevel
	}
	if o.Epoch.IsZero() {
		o.Epoch = time.Unix(0, 0)
	}
	if o.BlockSize < minBlock || o.BlockSize > maxBlock || o.BlockSize&(o.BlockSize-1) != 0 {
		return o, report.Errorf(report.Invalid, "blocks of %d bytes; a power of two from %d to %d works", o.BlockSize, minBlock, maxBlock)
	}
	return o, nil
}

// encoder compresses blocks of up to size bytes. The kernel keeps no window longer than a block, so each frame is a single
// segment, and no checksum, which mksquashfs leaves out too.
func (o WriteOptions) encoder(size int) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(o.Level)),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(size),
		zstd.WithSingleSegment(true),
		zstd.WithEncoderCRC(false),
		zstd.WithLowerEncoderMem(true),
	)
}

// Compress writes the data half of the image of t to w: the blocks of every file, compressed, then an index of them, which
// is this package's own. It reads every file once, in the order of t.Nodes, and a content that several files have, or that
// fits into one block and is equal to another's, is stored once. The same tree and options give the same bytes on any
// machine. Beside a record for each file and block, memory is bounded by GOMAXPROCS. An error leaves w with a part.
func Compress(ctx context.Context, w io.Writer, t *tree.Tree, o WriteOptions) error {
	if err := compress(ctx, w, t, o); err != nil {
		return fmt.Errorf("squashfs: %w", err)
	}
	return nil
}

func compress(ctx context.Context, w io.Writer, t *tree.Tree, o WriteOptions) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	files := contents(t.Nodes())
	encoders := make([]*zstd.Encoder, runtime.GOMAXPROCS(0))
	for i := range encoders {
		if encoders[i], err = o.encoder(o.BlockSize); err != nil {
			return err
		}
	}
	line := newPipeline(2 * len(encoders))
	pack := newPacker(o.BlockSize, line)
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
	pack.index.blocks = line.blocks
	_, err = w.Write(pack.index.encode(fingerprint(files)))
	return err
}

// contents are the files among nodes that have some.
func contents(nodes []*tree.Node) []*tree.Node {
	var out []*tree.Node
	for _, n := range nodes {
		if hasContent(n) {
			out = append(out, n)
		}
	}
	return out
}

func hasContent(n *tree.Node) bool { return n.Mode.IsRegular() && n.Size() > 0 }
