package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/blob/blobtest"
)

func isShort(err error, name string) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) && strings.Contains(err.Error(), name)
}

func TestNewImageRefuses(t *testing.T) {
	t.Parallel()
	a := func(off, n int64) blob.Extent { return blob.Extent{Name: "a", Offset: off, Blob: blob.Zeros(n)} }
	b := func(off, n int64) blob.Extent {
		return blob.Extent{Name: "b", Offset: off, Blob: blob.String(strings.Repeat("x", int(n)))}
	}
	for _, c := range []struct {
		size    int64
		extents []blob.Extent
		want    string
	}{
		{-1, nil, "-1 bytes"},
		{10, []blob.Extent{a(-1, 2)}, `"a" at -1`},
		{10, []blob.Extent{a(9, 2)}, `"a" at 9, 2 bytes, leaves an image of 10`},
		{10, []blob.Extent{a(1<<62, 1<<62)}, "leaves an image"},
		{10, []blob.Extent{b(3, 4), a(0, 4)}, `"b" at 3 overlaps "a", which ends at 4`},
	} {
		if _, err := blob.NewImage(c.size, c.extents...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; want %q", err, c.want)
		}
		if c.size < 0 {
			continue
		}
		if _, err := blob.Overlay(blob.Zeros(c.size), c.extents...); err == nil {
			t.Errorf("Overlay passes; want %q", c.want)
		}
	}
	image(t, 10, a(99, 0), b(0, 5), a(5, 5)) // empty extents are nowhere
}

func TestImageErrorsNameTheExtent(t *testing.T) {
	t.Parallel()
	inner := image(t, 20, blob.Extent{Name: "inner", Offset: 5, Blob: lying(10)})
	im := image(t, 100, blob.Extent{Name: "outer", Offset: 50, Blob: inner})
	p := make([]byte, 100)
	n, err := im.ReadAt(p, 0)
	if n != 55 || !isShort(err, `"outer" at 50`) || !isShort(err, `"inner" at 5`) {
		t.Errorf("ReadAt = %d, %v", n, err)
	}
	var out bytes.Buffer
	if n, err := im.WriteTo(&out); n != int64(out.Len()) || !isShort(err, "inner") {
		t.Errorf("WriteTo = %d after %d bytes, %v", n, out.Len(), err)
	}
	if _, err := blob.Equal(context.Background(), im, blob.Zeros(100)); !isShort(err, "inner") {
		t.Errorf("Equal: %v", err)
	}
}

// lying promises bytes that it does not have.
type lying int64

func (l lying) Size() int64                       { return int64(l) }
func (l lying) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func TestLocate(t *testing.T) {
	t.Parallel()
	kernel, initrd := blob.String("kernel"), blob.String("initrd")
	inner := image(t, 32, blob.Extent{Name: "k", Offset: 4, Blob: kernel}, blob.Extent{Name: "i", Offset: 16, Blob: initrd})
	outer := image(t, 1000, extent(100, blob.String("header")), extent(200, inner), extent(500, image(t, 60, extent(10, inner))))
	for name, c := range map[string]struct {
		inner blob.Blob
		off   int64
		ok    bool
	}{
		"nested":          {inner, 200, true},
		"a leaf":          {kernel, 204, true},
		"itself":          {outer, 0, true},
		"a slice":         {blob.Slice(inner, 4, 20), 204, true},
		"equal bytes":     {blob.Bytes([]byte("kernel")), 0, false},
		"only zeros":      {blob.Zeros(3), 0, false},
		"other layout":    {image(t, 32, extent(4, kernel), extent(17, initrd)), 0, false},
		"more zeros":      {image(t, 40, extent(4, kernel), extent(20, initrd)), 0, false},
		"would be longer": {image(t, 900, extent(4, kernel), extent(16, initrd)), 0, false},
	} {
		if off, ok := blob.Locate(outer, c.inner); off != c.off || ok != c.ok {
			t.Errorf("%s: %d, %v; want %d, %v", name, off, ok, c.off, c.ok)
		}
	}
}

func TestMapNames(t *testing.T) {
	t.Parallel()
	part := image(t, 8, blob.Extent{Name: "fat", Offset: 2, Blob: blob.String("x")})
	im := blob.Concat(blob.Part("mbr", blob.String("m")), blob.Part("esp", blob.Slice(part, 1, 6)), blob.Part("", blob.String("n")))
	var names []string
	for _, e := range blob.Map(im) {
		names = append(names, e.Name)
	}
	if want := []string{"mbr", "esp/fat", ""}; !slices.Equal(names, want) {
		t.Errorf("names are %q, want %q", names, want)
	}
	if got, want := blob.Holes(im), []blob.Range{{1, 1}, {3, 4}}; !slices.Equal(got, want) {
		t.Errorf("holes are %v, want %v", got, want)
	}
}

func TestDigests(t *testing.T) {
	t.Parallel()
	const hello = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	d, err := blob.Sum(context.Background(), blob.Concat(blob.Part("", blob.String("he")), blob.Part("", blob.String("llo"))))
	if err != nil || d != hello || blob.SumBytes([]byte("hello")) != d || d.Short() != "2cf24dba5fb0" {
		t.Errorf("Sum = %s, %v", d, err)
	}
	if long, err := blob.Sum(context.Background(), blob.Zeros(3<<20+1)); err != nil || long != blob.SumBytes(make([]byte, 3<<20+1)) {
		t.Errorf("Sum of long = %s, %v", long, err)
	}
	if p, err := blob.ParseDigest(hello); err != nil || p != d {
		t.Errorf("ParseDigest = %s, %v", p, err)
	}
	for _, s := range []string{"", "sha256:", hello[7:], "md5:" + hello[7:], strings.ToUpper(hello), "sha256:" + strings.ToUpper(hello[7:]), hello + "00", hello[:len(hello)-1] + "g"} {
		if _, err := blob.ParseDigest(s); err == nil {
			t.Errorf("ParseDigest(%q) passes", s)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := blob.Sum(ctx, blob.Zeros(1)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Sum: %v", err)
	}
}

func TestEqual(t *testing.T) {
	t.Parallel()
	a := pattern(0, 3<<20)
	b := bytes.Clone(a)
	b[2<<20+3]++
	for _, c := range []struct {
		x, y []byte
		want int64
	}{{a, a, -1}, {a, b, 2<<20 + 3}, {a, a[:100], 100}, {nil, nil, -1}, {nil, a, 0}, {a[:1], b[:1], -1}} {
		if got, err := blob.Equal(context.Background(), blob.Bytes(c.x), blob.Bytes(c.y)); got != c.want || err != nil {
			t.Errorf("Equal of %d and %d bytes = %d, %v; want %d", len(c.x), len(c.y), got, err, c.want)
		}
	}
}

func TestReadAllLimit(t *testing.T) {
	t.Parallel()
	if p, err := blob.ReadAll(blob.Zeros(10), 10); err != nil || len(p) != 10 {
		t.Errorf("%d bytes, %v", len(p), err)
	}
	if _, err := blob.ReadAll(blob.Zeros(1<<50), 10); err == nil {
		t.Error("2^50 bytes are read into memory")
	}
	if err := blob.ReadFull(blob.Zeros(10), make([]byte, 5), 6); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("ReadFull past the end: %v", err)
	}
}

func TestSlicePanics(t *testing.T) {
	t.Parallel()
	for _, r := range []blob.Range{{-1, 1}, {0, 11}, {11, 0}, {5, 6}, {0, -1}, {1 << 62, 1 << 62}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Slice(%d, %d) of 10 bytes passes", r.Offset, r.Length)
				}
			}()
			blob.Slice(blob.Zeros(10), r.Offset, r.Length)
		}()
	}
}

// FuzzModel builds Blobs by a script and, beside each, the bytes that it should hold.
func FuzzModel(f *testing.F) {
	f.Add([]byte{0, 9, 1, 7, 2, 0, 3, 5, 3, 0, 1, 4, 2, 1, 5, 3, 0, 6, 2, 1, 4, 0, 2, 0, 0})
	f.Add(bytes.Repeat([]byte{5, 0, 1, 0, 8, 3, 1, 2, 4}, 9))
	f.Fuzz(func(t *testing.T, script []byte) {
		m := &model{script: script, blobs: []blob.Blob{blob.Bytes(nil)}, flat: [][]byte{nil}}
		for len(m.script) > 0 && len(m.blobs) < 20 {
			m.step(t)
		}
		last := len(m.blobs) - 1
		blobtest.Run(t, m.blobs[last], m.flat[last])
		for i := range m.blobs { // what Locate finds must be there
			if off, ok := blob.Locate(m.blobs[last], m.blobs[i]); ok && !bytes.Equal(m.flat[last][off:off+int64(len(m.flat[i]))], m.flat[i]) {
				t.Fatalf("Locate finds %v at %d of %v", m.flat[i], off, m.flat[last])
			}
		}
	})
}

// model is the Blobs made so far; later steps build on earlier ones.
type model struct {
	script []byte
	blobs  []blob.Blob
	flat   [][]byte
}

func (m *model) next() int {
	if len(m.script) == 0 {
		return 0
	}
	v := m.script[0]
	m.script = m.script[1:]
	return int(v)
}

func (m *model) pick() (blob.Blob, []byte) {
	i := m.next() % len(m.blobs)
	return m.blobs[i], m.flat[i]
}

func (m *model) add(b blob.Blob, flat []byte) {
	if len(flat) < 5000 {
		m.blobs, m.flat = append(m.blobs, b), append(m.flat, flat)
	}
}

func (m *model) step(t *testing.T) {
	switch op := m.next() % 6; op {
	case 0:
		p := pattern(m.next(), m.next()%40)
		m.add(blob.Bytes(p), p)
	case 1:
		n := m.next() % 40
		m.add(blob.Zeros(int64(n)), make([]byte, n))
	case 2:
		b, flat := m.pick()
		off := m.next() % (len(flat) + 1)
		n := m.next() % (len(flat) - off + 1)
		m.add(blob.Slice(b, int64(off), int64(n)), flat[off:off+n])
	case 3:
		b1, f1 := m.pick()
		b2, f2 := m.pick()
		m.add(blob.Concat(blob.Part("1", b1), blob.Part("2", b2)), slices.Concat(f1, f2))
	default:
		m.place(t, op == 4)
	}
}

// place puts two Blobs into an image, or over a third, and expects the refusal that follows from where they are.
func (m *model) place(t *testing.T, over bool) {
	base, flat := m.pick()
	if !over {
		base, flat = nil, make([]byte, m.next())
	}
	flat = bytes.Clone(flat)
	var es []blob.Extent
	used := make([]bool, len(flat))
	refuse := false
	for range 2 {
		b, content := m.pick()
		off := m.next()
		es = append(es, extent(int64(off), b))
		for i, c := range content {
			if off+i >= len(flat) || used[off+i] {
				refuse = true
				break
			}
			flat[off+i], used[off+i] = c, true
		}
	}
	var im *blob.Image
	var err error
	if over {
		im, err = blob.Overlay(base, es...)
	} else {
		im, err = blob.NewImage(int64(len(flat)), es...)
	}
	if (err != nil) != refuse {
		t.Fatalf("%v over %d bytes: %v; want an error: %v", es, len(flat), err, refuse)
	}
	if err == nil {
		m.add(im, flat)
	}
}
