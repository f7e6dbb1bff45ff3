package frames

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// TestCompress: the frames are in order, hold the whole content, and those of zeros are made once.
func TestCompress(t *testing.T) {
	for _, size := range []int64{0, 1, 9, 10, 11, 1005} {
		var parts []blob.Extent
		if size > 20 {
			parts = append(parts, blob.Extent{Name: "a", Offset: 3, Blob: blob.String("content")}, blob.Extent{Name: "b", Offset: 500, Blob: blob.String("more")})
		}
		im, err := blob.NewImage(size, parts...)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		var calls atomic.Int32
		if err := Compress(t.Context(), &b, im, 10, func(p []byte) ([]byte, error) {
			calls.Add(1)
			return bytes.Clone(p), nil
		}); err != nil {
			t.Fatal(err)
		}
		want, _ := blob.ReadAll(im, size)
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%d bytes: %q", size, b.Bytes())
		}
		if size == 1005 && calls.Load() != 4 { // two with content, one of 10 zeros, one of 5
			t.Errorf("%d frames were compressed", calls.Load())
		}
	}
}

func TestErrors(t *testing.T) {
	bad := errors.New("bad")
	if err := Compress(t.Context(), io.Discard, blob.String("x"), 10, func([]byte) ([]byte, error) { return nil, bad }); !errors.Is(err, bad) {
		t.Error(err)
	}
	if err := Compress(t.Context(), io.Discard, &short{blob.String("x")}, 10, func(p []byte) ([]byte, error) { return p, nil }); err == nil || !strings.Contains(err.Error(), "at 0") {
		t.Error(err)
	}
}

type short struct{ blob.Blob }

func (short) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }
