// Package framestest checks compressors that make frames in parallel, each against other people's programs.
package framestest

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/frames"
	"github.com/bootwright/bootwright/internal/oracle"
)

// Compress is the function of a format.
type Compress func(ctx context.Context, w io.Writer, b blob.Blob) error

// content is some frames long, with a hole before and behind what is partly random.
func content(t testing.TB) *blob.Image {
	t.Helper()
	p := make([]byte, frames.Size+1000)
	rand.NewChaCha8([32]byte{}).Read(p[:len(p)/3])
	im, err := blob.NewImage(20<<20+7, blob.Extent{Name: "a", Offset: 5 << 20, Blob: blob.Bytes(p)})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func (c Compress) bytes(t testing.TB, b blob.Blob) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := c(t.Context(), &out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Judges has each command, to which the name of a file is added, unpack what c compressed to its standard output.
func Judges(t *testing.T, c Compress, commands ...[]string) {
	t.Helper()
	for _, b := range []blob.Blob{content(t), blob.Zeros(0), blob.String("x")} {
		want, err := blob.ReadAll(b, b.Size())
		if err != nil {
			t.Fatal(err)
		}
		file := oracle.File(t, blob.Bytes(c.bytes(t, b)))
		for _, judge := range commands {
			oracle.Need(t, judge[0])
			if got := oracle.Run(t, judge[0], append(judge[1:len(judge):len(judge)], file)...); got != string(want) {
				t.Errorf("%s unpacks %d bytes of %d", judge[0], len(got), len(want))
			}
		}
	}
}

// Deterministic wants the same bytes whatever the number of processors, and however the holes of what is compressed are known. It
// changes that number, so no other test may run beside it.
func Deterministic(t *testing.T, c Compress) {
	t.Helper()
	one := c.bytes(t, content(t))
	before := runtime.GOMAXPROCS(1)
	two := c.bytes(t, content(t))
	runtime.GOMAXPROCS(before)
	whole, err := blob.ReadAll(content(t), content(t).Size())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) || !bytes.Equal(one, c.bytes(t, blob.Bytes(whole))) {
		t.Error("the output differs")
	}
}
