package zstd

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/bits"
	"runtime"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"github.com/bootwright/bootwright/formats/blob"
)

// Version names all that Compress's output depends on besides its arguments. It belongs into every key under which the
// output is cached.
const Version = "frames 1, klauspost/compress v1.20.3"

const (
	// DefaultFrameSize is the content of one frame where Options say nothing.
	DefaultFrameSize = 2 << 20
	defaultLevel     = 3
	maxInMemory      = 4 << 20 // longer frames are compressed as a stream, one at a time
	maxWorkers       = 8       // each takes some 10 MiB
)

// Options of Compress; the zero value works.
type Options struct {
	Level     int   // as the zstd tool numbers them, mapped to the encoder's four; zero means 3
	FrameSize int64 // most content bytes of a frame, as far as Cuts allow; zero means DefaultFrameSize

	// Cuts are the offsets in the content where frames may start, ascending, if they may not start anywhere. Between
	// frames the kernel wants a whole number of cpio records: these are what cpio.RecordStarts gives.
	Cuts []int64
}

// Compress writes b to w as a concatenation of frames, which are compressed in parallel. The output is the same on every
// machine, and what is known to be zero is compressed once. Memory is bounded whatever b's size and FrameSize are. An error leaves w with a part of the output.
func Compress(ctx context.Context, w io.Writer, b blob.Blob, o Options) error {
	spans, err := split(b.Size(), o)
	if err != nil {
		return err
	}
	c := &compressor{b: b, w: w, options: encoderOptions(o), holes: blob.Holes(b), zeros: map[int64][]byte{}}
	return c.run(ctx, spans)
}

func encoderOptions(o Options) []zstd.EOption {
	if o.Level == 0 {
		o.Level = defaultLevel
	}
	window := 1 << bits.Len64(uint64(min(max(o.frameSize(), zstd.MinWindowSize), maxInMemory)-1))
	return []zstd.EOption{
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(o.Level)),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(window),
		zstd.WithLowerEncoderMem(true),
		zstd.WithEncoderCRC(true),
		zstd.WithZeroFrames(true),
	}
}

func (o Options) frameSize() int64 {
	if o.FrameSize <= 0 {
		return DefaultFrameSize
	}
	return o.FrameSize
}

// split is the content of each frame: as much as FrameSize allows, up to the last cut before that, or up to the next
// cut where there is none. Empty content has one empty frame.
func split(size int64, o Options) ([]blob.Range, error) {
	for i, c := range o.Cuts {
		if c < 0 || c > size || i > 0 && c < o.Cuts[i-1] {
			return nil, fmt.Errorf("zstd: cut %d at offset %d is out of order or outside %d bytes", i, c, size)
		}
	}
	var out []blob.Range
	for at := int64(0); at < size || len(out) == 0; {
		end := size
		if size-at > o.frameSize() {
			end = at + o.frameSize()
			if o.Cuts != nil {
				end = cutAt(o.Cuts, at, end, size)
			}
		}
		out = append(out, blob.Range{Offset: at, Length: end - at})
		at = end
	}
	return out, nil
}

// cutAt is the last cut in (at, end], else the first one behind end, else size.
func cutAt(cuts []int64, at, end, size int64) int64 {
	i, _ := slices.BinarySearch(cuts, end+1)
	switch {
	case i > 0 && cuts[i-1] > at:
		return cuts[i-1]
	case i < len(cuts):
		return cuts[i]
	}
	return size
}

// compressor is the work of one Compress.
type compressor struct {
	b       blob.Blob
	w       io.Writer
	options []zstd.EOption
	holes   []blob.Range

	spent sync.Pool // buffers of frames that are written, as *[]byte

	mu    sync.Mutex
	zeros map[int64][]byte // frames of zeros by their content's length: a sparse disk has thousands
}

// hole reports whether r is known to be zero.
func (c *compressor) hole(r blob.Range) bool {
	i, found := slices.BinarySearchFunc(c.holes, r.Offset, func(h blob.Range, at int64) int { return cmp.Compare(h.Offset, at) })
	if !found {
		i--
	}
	return r.Length > 0 && i >= 0 && r.Offset+r.Length <= c.holes[i].Offset+c.holes[i].Length
}

// zeroFrame is the frame of n zeros.
func (c *compressor) zeroFrame(enc *zstd.Encoder, n int64) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.zeros[n] == nil {
		c.zeros[n] = enc.EncodeAll(make([]byte, n), nil)
	}
	return c.zeros[n]
}

// job is one frame; done gives its bytes.
type job struct {
	blob.Range
	done chan []byte
}

// run hands the frames to workers and writes them in order. At most as many as there are workers wait to be written.
func (c *compressor) run(ctx context.Context, spans []blob.Range) error {
	workers := min(runtime.GOMAXPROCS(0), maxWorkers, len(spans))
	g, ctx := errgroup.WithContext(ctx)
	work, order := make(chan job), make(chan job, workers)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		for _, s := range spans {
			j := job{s, make(chan []byte, 1)}
			if !send(ctx, order, j) || s.Length <= maxInMemory && !send(ctx, work, j) {
				return ctx.Err()
			}
		}
		return nil
	})
	for range workers {
		g.Go(func() error { return c.compress(work) })
	}
	g.Go(func() error { return c.write(ctx, order) })
	return g.Wait()
}

func send(ctx context.Context, to chan<- job, j job) bool {
	select {
	case to <- j:
		return true
	case <-ctx.Done():
		return false
	}
}

// compress makes frames in memory until there is no more work.
func (c *compressor) compress(work <-chan job) error {
	enc, err := zstd.NewWriter(nil, c.options...)
	if err != nil {
		return err
	}
	defer enc.Close()
	var buf []byte
	for j := range work {
		if c.hole(j.Range) {
			j.done <- c.zeroFrame(enc, j.Length)
			continue
		}
		buf = slices.Grow(buf[:0], int(j.Length))[:j.Length]
		if err := blob.ReadFull(c.b, buf, j.Offset); err != nil {
			return fmt.Errorf("zstd: content at offset %d: %w", j.Offset, err)
		}
		to, _ := c.spent.Get().(*[]byte)
		if to == nil {
			to = new(make([]byte, 0, enc.MaxEncodedSize(len(buf))))
		}
		j.done <- enc.EncodeAll(buf, (*to)[:0])
	}
	return nil
}

// write writes the frames in order, and makes those that are too long for memory.
func (c *compressor) write(ctx context.Context, order <-chan job) error {
	for j := range order {
		if j.Length > maxInMemory {
			if err := c.stream(ctx, j.Range); err != nil {
				return err
			}
			continue
		}
		select {
		case p := <-j.done:
			if _, err := c.w.Write(p); err != nil {
				return err
			}
			if !c.hole(j.Range) { // that frame is everybody's
				c.spent.Put(&p)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stream writes the frame of r as it is compressed.
func (c *compressor) stream(ctx context.Context, r blob.Range) error {
	enc, err := zstd.NewWriter(nil, c.options...)
	if err != nil {
		return err
	}
	enc.ResetContentSize(c.w, r.Length)
	buf := make([]byte, 1<<20)
	for off := int64(0); off < r.Length; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := buf[:min(int64(len(buf)), r.Length-off)]
		if err := blob.ReadFull(c.b, p, r.Offset+off); err != nil {
			return fmt.Errorf("zstd: content at offset %d: %w", r.Offset+off, err)
		}
		if _, err := enc.Write(p); err != nil {
			return err
		}
	}
	return enc.Close()
}
