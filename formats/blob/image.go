package blob

import (
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Extent places a Blob at Offset bytes of an Image. Name says what the bytes are, for maps, errors and provenance.
type Extent struct {
	Name   string
	Offset int64
	Blob   Blob
}

// End is the offset behind the extent's last byte.
func (e Extent) End() int64 { return e.Offset + e.Blob.Size() }

// Image is a Blob made of extents. It is immutable, and its zero value is an empty Blob.
type Image struct {
	size    int64
	extents []Extent
}

// NewImage lays extents into size bytes. Order does not matter and empty extents are dropped; an extent that leaves
// the image or overlaps another is an error that names both.
func NewImage(size int64, extents ...Extent) (*Image, error) {
	if size < 0 {
		return nil, fmt.Errorf("image of %d bytes", size)
	}
	es := slices.DeleteFunc(slices.Clone(extents), func(e Extent) bool { return e.Blob.Size() == 0 })
	slices.SortStableFunc(es, func(a, b Extent) int { return cmp.Compare(a.Offset, b.Offset) })
	var end int64
	for i, e := range es {
		switch {
		case e.Offset < 0 || e.Blob.Size() > size || e.Offset > size-e.Blob.Size():
			return nil, fmt.Errorf("extent %q at %d, %d bytes, leaves an image of %d bytes", e.Name, e.Offset, e.Blob.Size(), size)
		case e.Offset < end:
			return nil, fmt.Errorf("extent %q at %d overlaps %q, which ends at %d", e.Name, e.Offset, es[i-1].Name, end)
		}
		end = e.End()
	}
	return &Image{size, es}, nil
}

// Concat is the parts one after another.
func Concat(parts ...Extent) *Image {
	im := &Image{}
	for _, p := range parts {
		if n := p.Blob.Size(); n > 0 {
			im.extents = append(im.extents, Extent{p.Name, im.size, p.Blob})
			im.size += n
		}
	}
	return im
}

// Part is an Extent for Concat, whose offset follows from the parts before it.
func Part(name string, b Blob) Extent { return Extent{Name: name, Blob: b} }

// Padding is a Part of zeros that brings size up to a multiple of align.
func Padding(size, align int64) Extent { return Part("padding", Zeros(Align(size, align)-size)) }

// Align is the least multiple of align (above zero) that is not below n.
func Align(n, align int64) int64 { return (n + align - 1) / align * align }

// Overlay is base with the bytes under patches replaced. Patches follow the rules of NewImage's extents.
func Overlay(base Blob, patches ...Extent) (*Image, error) {
	top, err := NewImage(base.Size(), patches...)
	if err != nil {
		return nil, err
	}
	var es []Extent
	var at int64
	below := func(end int64) {
		if end > at {
			es = append(es, Extent{"base", at, Slice(base, at, end-at)})
		}
	}
	for _, e := range top.extents {
		below(e.Offset)
		es, at = append(es, e), e.End()
	}
	below(base.Size())
	return &Image{base.Size(), es}, nil
}

func (im *Image) image() *Image { return im }

// Size is the image's length in bytes.
func (im *Image) Size() int64 { return im.size }

// Extents are the image's own extents by offset, not those inside them (see Map).
func (im *Image) Extents() []Extent { return slices.Clone(im.extents) }

// ReadAt follows io.ReaderAt. An error names the extent that failed.
func (im *Image) ReadAt(p []byte, off int64) (int, error) {
	n, end := clip(p, off, im.size)
	p = p[:n]
	i, _ := slices.BinarySearchFunc(im.extents, off, func(e Extent, off int64) int { return cmp.Compare(e.End()-1, off) })
	done := 0
	for done < n {
		at := off + int64(done)
		if i == len(im.extents) || at < im.extents[i].Offset {
			m := n - done
			if i < len(im.extents) {
				m = int(min(int64(m), im.extents[i].Offset-at))
			}
			clear(p[done : done+m])
			done += m
			continue
		}
		e := im.extents[i]
		m := int(min(int64(n-done), e.End()-at))
		got, err := e.Blob.ReadAt(p[done:done+m], at-e.Offset)
		done += got
		if got < m {
			return done, fmt.Errorf("extent %q at %d: %w", e.Name, e.Offset, short(err))
		}
		i++
	}
	return done, end
}

// WriteTo writes the whole image in order, zeros for holes, a bounded piece at a time.
func (im *Image) WriteTo(w io.Writer) (int64, error) {
	buf := make([]byte, min(im.size, 1<<20))
	var done int64
	for done < im.size {
		n, err := im.ReadAt(buf[:min(int64(len(buf)), im.size-done)], done)
		if n == 0 && err != nil {
			return done, err
		}
		m, werr := w.Write(buf[:n])
		done += int64(m)
		if werr != nil {
			return done, werr
		}
		if err != nil && err != io.EOF {
			return done, err
		}
	}
	return done, nil
}

// Range is Length bytes from Offset.
type Range struct{ Offset, Length int64 }

// Holes are the ranges of b that are known to read as zero without reading them.
func Holes(b Blob) []Range {
	var holes []Range
	var at int64
	for _, e := range Map(b) {
		if e.Offset > at {
			holes = append(holes, Range{at, e.Offset - at})
		}
		at = e.End()
	}
	if b.Size() > at {
		holes = append(holes, Range{at, b.Size() - at})
	}
	return holes
}

// Map is the extent map of b down to Blobs that are not Images, by offset; names of nested extents are joined with
// "/". Known zeros are left out: they are the holes. It is the debugging view, the golden file and what WriteFile copies.
func Map(b Blob) []Extent {
	var out []Extent
	flatten(&out, "", b, 0, 0, b.Size())
	return out
}

// flatten appends the leaves of bytes [off,off+n) of b, placed from at on.
func flatten(out *[]Extent, name string, b Blob, at, off, n int64) {
	switch v := b.(type) {
	case zeros:
	case section:
		flatten(out, name, v.b, at, v.off+off, n)
	case interface{ image() *Image }: // an Image, or what a format embeds one in
		extents := v.image().extents
		i, _ := slices.BinarySearchFunc(extents, off, func(e Extent, off int64) int { return cmp.Compare(e.End()-1, off) })
		for ; i < len(extents) && extents[i].Offset < off+n; i++ {
			e := extents[i]
			lo, hi := max(e.Offset, off), min(e.End(), off+n)
			flatten(out, join(name, e.Name), e.Blob, at+lo-off, lo-e.Offset, hi-lo)
		}
	default:
		if n > 0 {
			*out = append(*out, Extent{name, at, Slice(b, off, n)})
		}
	}
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "/" + b
}

// Locate finds inner's content inside outer without reading either: by identity of the Blobs that both refer to. It is
// how an ISO 9660 file can share the bytes that a UKI in the EFI system partition already holds. Content that is
// equal but not the same Blob is not found. ok is false for an inner without extents.
func Locate(outer, inner Blob) (off int64, ok bool) {
	want, have := Map(inner), Map(outer)
	if len(want) == 0 {
		return 0, false
	}
	for i, h := range have {
		start := h.Offset - want[0].Offset
		if h.Blob != want[0].Blob || start < 0 || start > outer.Size()-inner.Size() || i > 0 && have[i-1].End() > start {
			continue // the last: where inner starts with zeros, outer must too
		}
		if sameRun(have[i:], want, start, start+inner.Size()) {
			return start, true
		}
	}
	return 0, false
}

// sameRun reports whether have, shifted back by start, begins with want and then holds nothing more before end.
func sameRun(have, want []Extent, start, end int64) bool {
	if len(have) < len(want) {
		return false
	}
	for j, w := range want {
		if have[j].Blob != w.Blob || have[j].Offset-start != w.Offset {
			return false
		}
	}
	return len(have) == len(want) || have[len(want)].Offset >= end
}
