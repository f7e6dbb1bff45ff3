package xz

import (
	"testing"

	"github.com/bootwright/bootwright/formats/frames/framestest"
)

// TestJudges: xz and 7z unpack what went in.
func TestJudges(t *testing.T) {
	t.Parallel()
	framestest.Judges(t, Compress, []string{"xz", "-dc"}, []string{"7z", "x", "-so"})
}

func TestDeterministic(t *testing.T) { framestest.Deterministic(t, Compress) }
