// Package blobtest checks that a Blob keeps its contract. Every implementation's tests run it.
package blobtest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/bootwright/bootwright/formats/blob"
)

// Run checks that b holds want, however it is read: whole, in pieces, from several goroutines, past its end, through
// io.SectionReader, by its extent map and, where it has one, by its WriteTo.
func Run(t *testing.T, b blob.Blob, want []byte) {
	t.Helper()
	if b.Size() != int64(len(want)) {
		t.Fatalf("Size() = %d; want %d", b.Size(), len(want))
	}
	for _, check := range checks() {
		if err := check(b, want); err != nil {
			t.Error(err)
		}
	}
}

func checks() []func(b blob.Blob, want []byte) error {
	return []func(blob.Blob, []byte) error{
		checkReads, checkEdges, checkConcurrency, checkReader, checkWriterTo, checkSlices, checkMap, checkIdentity,
	}
}

// readAt reads n bytes at off and says how that breaks the contract of io.ReaderAt or differs from want, or nil.
func readAt(b blob.Blob, want []byte, off int64, n int) error {
	p := bytes.Repeat([]byte{0xaa}, n) // so that zeros nobody wrote show
	got, err := b.ReadAt(p, off)
	rest := want[min(off, int64(len(want))):]
	fail := func(format string, args ...any) error {
		return fmt.Errorf("ReadAt(%d bytes, %d) of %d = %d, %v: %s", n, off, len(want), got, err, fmt.Sprintf(format, args...))
	}
	switch {
	case got != min(n, len(rest)):
		return fail("want %d bytes", min(n, len(rest)))
	case !bytes.Equal(p[:got], rest[:got]):
		return fail("wrong bytes")
	case n > len(rest) && err != io.EOF:
		return fail("want io.EOF")
	case n < len(rest) && err != nil:
		return fail("want no error")
	case err != nil && err != io.EOF:
		return fail("want io.EOF or no error")
	}
	return nil
}

// checkReads reads all pieces of a short Blob, and some of a long one.
func checkReads(b blob.Blob, want []byte) error {
	if len(want) <= 40 {
		for off := range len(want) + 3 {
			for n := range len(want) + 3 {
				if err := readAt(b, want, int64(off), n); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := readAt(b, want, 0, len(want)); err != nil {
		return err
	}
	return randomReads(b, want, 1, 300)
}

func randomReads(b blob.Blob, want []byte, seed uint64, count int) error {
	r := rand.New(rand.NewPCG(seed, 0))
	for range count {
		if err := readAt(b, want, r.Int64N(int64(len(want))+1), r.IntN(min(len(want), 70000)+1)); err != nil {
			return err
		}
	}
	return nil
}

func checkEdges(b blob.Blob, want []byte) error {
	size := b.Size()
	for _, off := range []int64{size, size + 1, size + 1<<40} {
		if n, err := b.ReadAt(make([]byte, 1), off); n != 0 || err != io.EOF {
			return fmt.Errorf("ReadAt(1 byte, %d) of %d = %d, %v; want 0, io.EOF", off, size, n, err)
		}
		if n, err := b.ReadAt(nil, off); n != 0 || err != nil && err != io.EOF {
			return fmt.Errorf("ReadAt(nil, %d) of %d = %d, %v", off, size, n, err)
		}
	}
	for _, p := range [][]byte{nil, make([]byte, 1)} {
		if n, err := b.ReadAt(p, -1); n != 0 || len(p) > 0 && (err == nil || err == io.EOF) {
			return fmt.Errorf("ReadAt(%d bytes, -1) = %d, %v; want 0 and an error", len(p), n, err)
		}
	}
	if b.Size() != size {
		return fmt.Errorf("Size() was %d and is %d", size, b.Size())
	}
	return nil
}

func checkConcurrency(b blob.Blob, want []byte) error {
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = randomReads(b, want, uint64(i), 50) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func checkReader(b blob.Blob, want []byte) error {
	if len(want) <= 1<<16 { // it is slow
		if err := iotest.TestReader(blob.Reader(b), want); err != nil {
			return fmt.Errorf("io.SectionReader: %w", err)
		}
	}
	got, err := io.ReadAll(iotest.DataErrReader(blob.Reader(b)))
	if err != nil || !bytes.Equal(got, want) {
		return fmt.Errorf("io.ReadAll gives %d of %d bytes, or others, and %v", len(got), len(want), err)
	}
	return nil
}

// checkWriterTo leaves out those that seek, whose WriteTo goes on where the last read ended.
func checkWriterTo(b blob.Blob, want []byte) error {
	w, ok := b.(io.WriterTo)
	if _, seeks := b.(io.Seeker); !ok || seeks {
		return nil
	}
	var out bytes.Buffer
	if n, err := w.WriteTo(&out); n != int64(len(want)) || err != nil || !bytes.Equal(out.Bytes(), want) {
		return fmt.Errorf("WriteTo = %d, %v, and writes %d bytes; want %d", n, err, out.Len(), len(want))
	}
	full := &fullWriter{room: int64(len(want) / 2)}
	if n, err := w.WriteTo(full); len(want) > 0 && (!errors.Is(err, errFull) || n != full.got) {
		return fmt.Errorf("WriteTo a full disk = %d, %v; want %d, %v", n, err, full.got, errFull)
	}
	return nil
}

var errFull = errors.New("full")

// fullWriter takes room bytes.
type fullWriter struct{ room, got int64 }

func (w *fullWriter) Write(p []byte) (int, error) {
	n := min(int64(len(p)), w.room-w.got)
	w.got += n
	if n < int64(len(p)) {
		return int(n), errFull
	}
	return int(n), nil
}

func checkSlices(b blob.Blob, want []byte) error {
	size := int64(len(want))
	r := rand.New(rand.NewPCG(2, 0))
	for range 20 {
		off := r.Int64N(size + 1)
		n := r.Int64N(size - off + 1)
		s, part := blob.Slice(b, off, n), want[off:off+n]
		if s.Size() != n {
			return fmt.Errorf("Slice(%d, %d) has %d bytes", off, n, s.Size())
		}
		if err := errors.Join(readAt(s, part, 0, int(n)), readAt(s, part, n/2, int(n)), checkEdges(s, part)); err != nil {
			return fmt.Errorf("Slice(%d, %d): %w", off, n, err)
		}
	}
	return nil
}

// checkMap wants the content to be what the extents hold, and zeros in the holes between them.
func checkMap(b blob.Blob, want []byte) error {
	got := make([]byte, len(want))
	var end int64
	for _, e := range blob.Map(b) {
		if e.Offset < end || e.Blob.Size() <= 0 || e.End() > int64(len(want)) {
			return fmt.Errorf("extent %q at %d, %d bytes, behind one that ends at %d", e.Name, e.Offset, e.Blob.Size(), end)
		}
		end = e.End()
		if err := blob.ReadFull(e.Blob, got[e.Offset:end], 0); err != nil {
			return fmt.Errorf("extent %q at %d: %w", e.Name, e.Offset, err)
		}
	}
	if !bytes.Equal(got, want) {
		return errors.New("the extents of Map hold something else than the Blob")
	}
	for _, h := range blob.Holes(b) {
		if h.Length <= 0 || !bytes.Equal(want[h.Offset:h.Offset+h.Length], make([]byte, h.Length)) {
			return fmt.Errorf("%d bytes at %d are a hole and no zeros", h.Length, h.Offset)
		}
	}
	return nil
}

// checkIdentity compares b with itself, which panics for a type that cannot be compared.
func checkIdentity(b blob.Blob, _ []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("a %T cannot be compared: %v", b, r)
		}
	}()
	if map[blob.Blob]bool{b: true}[b] {
		return nil
	}
	return fmt.Errorf("a %T does not equal itself", b)
}
