// Package ring keeps the latest records of a log in bounded memory, compressed.
//
// Records are appended to an open chunk of plain bytes; a full chunk is compressed (zstd) and queued, and the oldest
// chunks are forgotten when the queue has grown over its bound. A writer waits for no reader: readers follow with cursors
// of their own, which are told how many records they were too slow for.
package ring

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

const (
	// DefaultLimit is how many compressed bytes a Ring keeps.
	DefaultLimit = 1 << 20
	// ChunkSize is the size of a chunk before it is compressed. The last record of a chunk may exceed it.
	ChunkSize = 64 << 10
	// MaxText is the longest text of a record; the rest of a longer one is cut off.
	MaxText = 32 << 10
	// overhead is what a chunk costs besides its bytes, so that many small chunks are bounded too.
	overhead = 128
)

// Record is an entry of a log.
type Record struct {
	Seq   uint64        // counts from 0 in each ring, without gaps
	At    time.Duration // since the kernel started: right even for what was said before the clock was
	Level Level
	Text  []byte // not to be changed
}

// Codec compresses chunks. Rings share one, as its tables are as large as a ring.
type Codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// NewCodec is a Codec. Its methods may be called from several goroutines, of which one at a time compresses.
func NewCodec() *Codec {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(2*ChunkSize), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic("ring: " + err.Error()) // the options are constants
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(2*ChunkSize))
	if err != nil {
		panic("ring: " + err.Error())
	}
	return &Codec{enc, dec}
}

// Ring is a log.
type Ring struct {
	codec   *Codec
	limit   int
	changed *watch.Value[struct{}]

	mu     sync.Mutex
	sealed []chunk // compressed, the oldest first
	size   int     // of sealed, with the overhead
	open   chunk
	last   time.Duration // At of the last record
}

// chunk is a run of records: each is its At as the difference to the one before (the first to 0), level and length, as
// varints, and its text. What is in data never changes, so cursors may keep it.
type chunk struct {
	first uint64 // Seq of the first record
	count uint64
	data  []byte
}

// New is an empty ring that keeps limit compressed bytes (0 means DefaultLimit). Each record sets changed, which rings may
// share.
func New(codec *Codec, limit int, changed *watch.Value[struct{}]) *Ring {
	if limit == 0 {
		limit = DefaultLimit
	}
	return &Ring{codec: codec, limit: limit, changed: changed}
}

// Changed is closed with the next record.
func (r *Ring) Changed() <-chan struct{} {
	_, changed := r.changed.Watch()
	return changed
}

// Append adds a record. It keeps a copy of text.
func (r *Ring) Append(at time.Duration, level Level, text []byte) {
	text = text[:min(len(text), MaxText)]
	r.mu.Lock()
	if r.open.count == 0 {
		r.last = 0
	}
	b := binary.AppendVarint(r.open.data, int64(at-r.last))
	b = append(b, byte(level))
	b = binary.AppendUvarint(b, uint64(len(text)))
	r.open.data = append(b, text...)
	r.open.count++
	r.last = at
	if len(r.open.data) >= ChunkSize {
		r.seal()
	}
	r.mu.Unlock()
	r.changed.Set(struct{}{})
}

// seal compresses the open chunk and forgets what is too old.
func (r *Ring) seal() {
	full := r.open
	r.open = chunk{first: full.first + full.count}
	full.data = slices.Clone(r.codec.enc.EncodeAll(full.data, nil)) // without the room that the encoder made
	r.sealed = append(r.sealed, full)
	r.size += cap(full.data) + overhead
	drop := 0
	for ; r.size > r.limit && drop < len(r.sealed); drop++ {
		r.size -= cap(r.sealed[drop].data) + overhead
	}
	r.sealed = slices.Delete(r.sealed, 0, drop) // clears what it frees
}

// Stats are figures of a ring.
type Stats struct {
	Bytes   int    // that it keeps in memory
	Records uint64 // that it keeps
	Oldest  uint64 // Seq of the oldest record that it keeps; Next if it is empty
	Next    uint64 // Seq of the next record to come: how many there have been
}

// Stats are the figures of now.
func (r *Ring) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{Bytes: r.size + cap(r.open.data), Oldest: r.oldest(), Next: r.open.first + r.open.count}
	s.Records = s.Next - s.Oldest
	return s
}

// oldest needs the lock.
func (r *Ring) oldest() uint64 {
	if len(r.sealed) > 0 {
		return r.sealed[0].first
	}
	return r.open.first
}

// chunk returns the chunk that holds the record seq, or the nearest later one, with its bytes decompressed. ok is false
// where there is no such record yet.
func (r *Ring) chunk(seq uint64) (c chunk, ok bool) {
	r.mu.Lock()
	i, found := slices.BinarySearchFunc(r.sealed, seq, func(c chunk, seq uint64) int {
		switch {
		case c.first+c.count <= seq:
			return -1
		case c.first > seq:
			return 1
		}
		return 0
	})
	if !found && i == len(r.sealed) {
		defer r.mu.Unlock()
		return r.open, seq < r.open.first+r.open.count
	}
	c = r.sealed[i]
	r.mu.Unlock()
	plain, err := r.codec.dec.DecodeAll(c.data, nil)
	if err != nil {
		panic("ring: a chunk does not decompress: " + err.Error()) // memory is broken
	}
	c.data = plain
	return c, true
}
