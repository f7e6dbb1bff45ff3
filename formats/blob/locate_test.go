package blob

import "testing"

// TestLocateLeadingZeros guards the case in which only the part of inner that is not zero is inside outer.
func TestLocateLeadingZeros(t *testing.T) {
	t.Parallel()
	a, b := String("aaaaaaaaaa"), String("bbbbbbbbbb")
	image := func(size int64, es ...Extent) *Image {
		im, err := NewImage(size, es...)
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	inner := image(20, Extent{"b", 10, b})
	if off, ok := Locate(image(40, Extent{"a", 0, a}, Extent{"b", 10, b}), inner); ok {
		t.Errorf("found at %d, where outer holds other bytes before b", off)
	}
	if off, ok := Locate(image(40, Extent{"a", 0, a}, Extent{"b", 20, b}), inner); !ok || off != 10 {
		t.Errorf("got %d, %v, want 10", off, ok)
	}
}

// TestMapSeesEmbeddedImages lets formats return an Image with more methods.
func TestMapSeesEmbeddedImages(t *testing.T) {
	t.Parallel()
	type volume struct{ *Image }
	part := String("part")
	im, err := NewImage(100, Extent{"part", 10, part})
	if err != nil {
		t.Fatal(err)
	}
	if m := Map(&volume{im}); len(m) != 1 || m[0] != (Extent{"part", 10, part}) {
		t.Errorf("map %v", m)
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	whole := Bytes(make([]byte, 10))
	for _, c := range []struct {
		part Blob
		off  int64
		ok   bool
	}{
		{whole, 0, true}, {Slice(whole, 3, 5), 3, true}, {Slice(Slice(whole, 3, 5), 1, 2), 4, true},
		{Bytes(make([]byte, 10)), 0, false}, {Slice(Bytes(make([]byte, 10)), 3, 5), 0, false},
	} {
		if off, ok := Offset(whole, c.part); off != c.off || ok != c.ok {
			t.Errorf("%v: %d, %v", c.part, off, ok)
		}
	}
}
