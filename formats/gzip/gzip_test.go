package gzip

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/frames/framestest"
)

// at compresses at a level.
func at(level int) framestest.Compress {
	return func(ctx context.Context, w io.Writer, b blob.Blob) error { return Compress(ctx, w, b, level) }
}

// TestJudges: gzip and 7z unpack what went in.
func TestJudges(t *testing.T) {
	t.Parallel()
	framestest.Judges(t, at(0), []string{"gzip", "-dc"}, []string{"7z", "x", "-so"})
}

func TestDeterministic(t *testing.T) { framestest.Deterministic(t, at(9)) }

func TestLevel(t *testing.T) {
	t.Parallel()
	if err := Compress(t.Context(), &bytes.Buffer{}, blob.Zeros(1), 77); err == nil {
		t.Error("level 77")
	}
}
