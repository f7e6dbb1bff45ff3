package blocks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/formats/blob"
)

// job is one block on its way into the image, or a run of blocks of zeros, which take no room there.
type job struct {
	holes  int       // blocks of zeros; then there is nothing to do
	path   string    // of the file that the block is read from; "" for a fragment, which is in content already
	source blob.Blob //
	offset int64     // in source

	content []byte
	packed  []byte // what is stored
	size    uint32 // as the block list of an inode has it; see Stored
	done    chan struct{}
}

// pipeline compresses blocks in parallel and writes them in the order of put. It has a fixed number of jobs, which go
// round, so its memory is bounded.
type pipeline struct {
	free, work, order chan *job
	blocks            []uint32 // sizes of what is written
}

func newPipeline(jobs int) *pipeline {
	l := &pipeline{free: make(chan *job, jobs), work: make(chan *job, jobs), order: make(chan *job, jobs)}
	for range jobs {
		l.free <- &job{done: make(chan struct{}, 1)}
	}
	return l
}

// take is a job to fill and put.
func (l *pipeline) take(ctx context.Context) (*job, error) {
	select {
	case j := <-l.free:
		j.holes, j.path, j.source, j.offset = 0, "", nil, 0
		return j, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// put hands j on; there is room for every job there is.
func (l *pipeline) put(j *job) {
	l.order <- j
	if j.holes == 0 {
		l.work <- j
	}
}

// close says that nothing more is put.
func (l *pipeline) close() {
	close(l.work)
	close(l.order)
}

// compress does jobs until there are no more.
func (l *pipeline) compress(enc *zstd.Encoder) error {
	for j := range l.work {
		if j.source != nil {
			if err := blob.ReadFull(j.source, j.content, j.offset); err != nil {
				return fmt.Errorf("%s: byte %d: %w", j.path, j.offset, err)
			}
		}
		j.pack(enc)
		j.done <- struct{}{}
	}
	return enc.Close()
}

// pack fills in packed and size.
func (j *job) pack(enc *zstd.Encoder) {
	if isZero(j.content) {
		j.packed, j.size = j.packed[:0], 0
		return
	}
	j.packed = enc.EncodeAll(j.content, j.packed[:0])
	j.size = uint32(len(j.packed))
	if len(j.packed) >= len(j.content) {
		j.packed = append(j.packed[:0], j.content...)
		j.size = uint32(len(j.packed)) | uncompressed
	}
}

// write writes what is put, in order.
func (l *pipeline) write(ctx context.Context, w io.Writer) error {
	for j := range l.order {
		if j.holes > 0 {
			l.blocks = append(l.blocks, make([]uint32, j.holes)...)
			l.free <- j
			continue
		}
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
		if _, err := w.Write(j.packed); err != nil {
			return err
		}
		l.blocks = append(l.blocks, j.size)
		l.free <- j
	}
	return nil
}

// fill makes room for n bytes of content.
func (j *job) fill(n int) { j.content = slices.Grow(j.content[:0], n)[:n] }

func isZero(p []byte) bool { return len(p) == 0 || p[0] == 0 && bytes.Equal(p[1:], p[:len(p)-1]) }
