package zstd

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Magic is how a frame starts. Skippable frames start otherwise.
const Magic = "\x28\xb5\x2f\xfd"

var errNoFrame = errors.New("no zstd frame starts here")

const (
	maxBlock  = 128 << 10 // RFC 8878, 3.1.1.2.4: Block_Maximum_Size
	maxFrames = 1 << 20
)

// Frame is one frame as its headers tell, without decompression.
type Frame struct {
	Offset, Length int64 // in the blob
	Content        int64 // bytes of content; -1 where the header does not say
	Window         int64 // bytes of memory that decompression takes
	Skippable      bool  // holds no content
}

// End is the offset behind the frame.
func (f Frame) End() int64 { return f.Offset + f.Length }

// Frames are the frames that follow each other from the first byte of b on, up to the end of b or to what is no frame.
// It reads headers only: content that does not decompress goes unnoticed. It is Invalid if b does not start with a frame
// or one is cut short.
func Frames(b blob.Blob) ([]Frame, error) {
	var out []Frame
	for at := int64(0); ; {
		f, err := readFrame(b, at)
		if errors.Is(err, errNoFrame) && at > 0 {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("zstd: frame at offset %d: %w", at, err)
		}
		if len(out) == maxFrames {
			return nil, report.Errorf(report.Unsupported, "zstd: more than %d frames", maxFrames)
		}
		out = append(out, f)
		at = f.End()
	}
}

// End is the offset behind the frame that b starts with. See Frames.
func End(b blob.Blob) (int64, error) {
	f, err := readFrame(b, 0)
	if err != nil {
		return 0, fmt.Errorf("zstd: %w", err)
	}
	return f.End(), nil
}

// readFrame walks the headers of the frame at offset at and of its blocks.
func readFrame(b blob.Blob, at int64) (Frame, error) {
	raw := make([]byte, min(zstd.HeaderMaxSize, b.Size()-at))
	if err := blob.ReadFull(b, raw, at); err != nil {
		return Frame{}, err
	}
	var h zstd.Header
	switch err := h.Decode(raw); {
	case len(raw) < len(Magic), errors.Is(err, zstd.ErrMagicMismatch):
		return Frame{}, report.Errorf(report.Invalid, "%w", errNoFrame)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Frame{}, errCut(b)
	case err != nil:
		return Frame{}, report.Errorf(report.Invalid, "%w", err)
	case h.FrameContentSize > math.MaxInt64:
		return Frame{}, report.Errorf(report.Invalid, "a content of %d bytes", h.FrameContentSize)
	}
	f := Frame{Offset: at, Content: -1, Window: int64(h.WindowSize), Skippable: h.Skippable}
	if h.HasFCS {
		f.Content = int64(h.FrameContentSize)
	}
	if h.SingleSegment {
		f.Window = f.Content
	}
	if h.Skippable {
		f.Content, f.Length = 0, int64(h.HeaderSize)+int64(h.SkippableSize)
	} else {
		end, err := blocksEnd(b, at+int64(h.HeaderSize))
		if err != nil {
			return Frame{}, err
		}
		if h.HasCheckSum {
			end += 4
		}
		f.Length = end - at
	}
	if f.End() > b.Size() {
		return Frame{}, errCut(b)
	}
	return f, nil
}

// blocksEnd is the offset behind the blocks that start at offset at.
func blocksEnd(b blob.Blob, at int64) (int64, error) {
	for {
		var raw [3]byte
		if at > b.Size()-int64(len(raw)) {
			return 0, errCut(b)
		}
		if err := blob.ReadFull(b, raw[:], at); err != nil {
			return 0, err
		}
		v := int64(raw[0]) | int64(raw[1])<<8 | int64(raw[2])<<16
		last, kind, size := v&1 == 1, v>>1&3, v>>3
		if kind == 3 || size > maxBlock {
			return 0, report.Errorf(report.Invalid, "block at offset %d has type %d and %d bytes", at, kind, size)
		}
		if kind == 1 { // run length: one byte stands for all
			size = 1
		}
		at += int64(len(raw)) + size
		if last {
			return at, nil
		}
	}
}

func errCut(b blob.Blob) error {
	return report.Errorf(report.Invalid, "cut short: it goes on behind the last of %d bytes", b.Size())
}
