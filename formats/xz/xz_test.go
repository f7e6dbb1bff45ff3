package xz

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/frames"
	"github.com/bootwright/bootwright/internal/oracle"
)

func content(t testing.TB) *blob.Image {
	p := make([]byte, frames.Size+1000)
	rand.NewChaCha8([32]byte{}).Read(p[:len(p)/3])
	im, err := blob.NewImage(20<<20+7, blob.Extent{Name: "a", Offset: 5 << 20, Blob: blob.Bytes(p)})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func compressed(t testing.TB, b blob.Blob) []byte {
	var out bytes.Buffer
	if err := Compress(t.Context(), &out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestJudges: xz and 7z unpack what went in.
func TestJudges(t *testing.T) {
	t.Parallel()
	for _, b := range []blob.Blob{content(t), blob.Zeros(0), blob.String("x")} {
		want, _ := blob.ReadAll(b, b.Size())
		file := filepath.Join(t.TempDir(), "x.xz")
		if err := blob.WriteFile(t.Context(), file, blob.Bytes(compressed(t, b)), blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, judge := range [][]string{{"xz", "-dc", file}, {"7z", "x", "-so", file}} {
			oracle.Need(t, judge[0])
			if got := oracle.Run(t, judge[0], judge[1:]...); got != string(want) {
				t.Errorf("%s unpacks %d bytes of %d", judge[0], len(got), len(want))
			}
		}
	}
}

func TestDeterministic(t *testing.T) {
	one := compressed(t, content(t))
	before := runtime.GOMAXPROCS(1)
	two := compressed(t, content(t))
	runtime.GOMAXPROCS(before)
	whole, _ := blob.ReadAll(content(t), content(t).Size())
	if !bytes.Equal(one, two) || !bytes.Equal(one, compressed(t, blob.Bytes(whole))) {
		t.Error("the output differs")
	}
}
