package blob_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/blob/blobtest"
)

// pattern is n bytes none of which is zero, different from seed to seed.
func pattern(seed, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((i*7+seed*31)%255) + 1
	}
	return p
}

func openFile(t testing.TB, p []byte) *blob.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, p, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := blob.OpenFile(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func image(t testing.TB, size int64, extents ...blob.Extent) *blob.Image {
	t.Helper()
	im, err := blob.NewImage(size, extents...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func extent(off int64, b blob.Blob) blob.Extent { return blob.Extent{Name: "x", Offset: off, Blob: b} }

func overlay(t testing.TB, base blob.Blob, patches ...blob.Extent) *blob.Image {
	t.Helper()
	im, err := blob.Overlay(base, patches...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestConformance(t *testing.T) {
	t.Parallel()
	long := pattern(1, 3<<20+5)
	file := openFile(t, long)
	inner := image(t, 12, extent(2, blob.Bytes(pattern(2, 3))), extent(9, blob.String("end")))
	innerFlat := []byte("\x00\x00" + string(pattern(2, 3)) + "\x00\x00\x00\x00end")
	for name, c := range map[string]struct {
		b    blob.Blob
		want []byte
	}{
		"empty bytes":     {blob.Bytes(nil), nil},
		"bytes":           {blob.Bytes(pattern(0, 20)), pattern(0, 20)},
		"long bytes":      {blob.Bytes(long), long},
		"string":          {blob.String("hello"), []byte("hello")},
		"no zeros":        {blob.Zeros(0), nil},
		"zeros":           {blob.Zeros(33), make([]byte, 33)},
		"file":            {file, long},
		"empty file":      {openFile(t, nil), nil},
		"slice":           {blob.Slice(blob.Bytes(pattern(0, 20)), 3, 11), pattern(0, 20)[3:14]},
		"slice of slice":  {blob.Slice(blob.Slice(file, 10, 1<<20), 7, 99), long[17:116]},
		"slice of zeros":  {blob.Slice(blob.Zeros(9), 3, 5), make([]byte, 5)},
		"slice of image":  {blob.Slice(inner, 1, 10), innerFlat[1:11]},
		"empty slice":     {blob.Slice(file, 5, 0), nil},
		"zero image":      {&blob.Image{}, nil},
		"only holes":      {image(t, 10), make([]byte, 10)},
		"image":           {inner, innerFlat},
		"nested images":   {image(t, 30, extent(1, inner), extent(14, blob.Slice(inner, 3, 8)), extent(29, blob.String("!"))), bytes.Join([][]byte{{0}, innerFlat, {0}, innerFlat[3:11], make([]byte, 7), {'!'}}, nil)},
		"long image":      {image(t, 8<<20, extent(1<<20+1, file)), append(append(make([]byte, 1<<20+1), long...), make([]byte, 4<<20-6)...)},
		"concat":          {blob.Concat(blob.Part("a", inner), blob.Part("", blob.Zeros(0)), blob.Part("b", blob.Zeros(3)), blob.Padding(15, 16), blob.Part("c", blob.String("c"))), append(bytes.Clone(innerFlat), 0, 0, 0, 0, 'c')},
		"empty concat":    {blob.Concat(), nil},
		"overlay":         {overlay(t, blob.Bytes(pattern(0, 20)), extent(3, blob.String("abc")), extent(18, blob.Zeros(2))), append(append(append(pattern(0, 20)[:3:3], "abc"...), pattern(0, 20)[6:18]...), 0, 0)},
		"overlay of all":  {overlay(t, inner, extent(0, blob.Bytes(pattern(0, 12)))), pattern(0, 12)},
		"overlay of none": {overlay(t, inner), innerFlat},
	} {
		t.Run(name, func(t *testing.T) { blobtest.Run(t, c.b, c.want) })
	}
}

func TestFileShrinks(t *testing.T) {
	t.Parallel()
	f := openFile(t, pattern(0, 100))
	if err := os.Truncate(f.Name(), 40); err != nil {
		t.Fatal(err)
	}
	for _, b := range []blob.Blob{f, blob.Slice(f, 10, 50), image(t, 200, extent(3, f))} {
		if _, err := blob.ReadAll(b, 1000); !isShort(err, f.Name()) {
			t.Errorf("%T: %v", b, err)
		}
		if _, err := blob.Sum(context.Background(), b); !isShort(err, f.Name()) {
			t.Errorf("Sum of %T: %v", b, err)
		}
		if err := blob.WriteFile(context.Background(), filepath.Join(t.TempDir(), "out"), b, blob.WriteOptions{}); !isShort(err, f.Name()) {
			t.Errorf("WriteFile of %T: %v", b, err)
		}
	}
}
