package squashfs

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/bootwright/bootwright/formats/squashfs/blocks"
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

func (o WriteOptions) blocks() blocks.Options {
	return blocks.Options{Size: o.BlockSize, Level: o.Level}
}

// Compress writes the data half of the image of t to w: the blocks of every file, compressed, then an index of them, which
// is this package's own. It reads every file once, in the order of t.Nodes, and a content that several files have, or that
// fits into one block and is equal to another's, is stored once. The same tree and options give the same bytes on any
// machine. Beside a record for each file and block, memory is bounded by GOMAXPROCS. An error leaves w with a part.
func Compress(ctx context.Context, w io.Writer, t *tree.Tree, o WriteOptions) error {
	o, err := o.complete()
	if err == nil {
		err = blocks.Write(ctx, w, t.Nodes(), o.blocks())
	}
	if err != nil {
		return fmt.Errorf("squashfs: %w", err)
	}
	return nil
}
