package vhdx

import (
	"bytes"
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// TestQemuImg: what qemu-img writes is read.
func TestQemuImg(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	d := disk(t, 40*mib+512, 0, 9*mib-4, 32*mib, 40*mib+500)
	raw := oracle.File(t, d)
	for _, options := range []string{"", "block_size=1M", "subformat=fixed", "block_size=256M,block_state_zero=off"} {
		file := filepath.Join(t.TempDir(), "x")
		args := []string{"convert", "-f", "raw", "-O", "vhdx"}
		if options != "" {
			args = append(args, "-o", options)
		}
		oracle.Run(t, "qemu-img", append(args, raw, file)...)
		f, err := blob.OpenFile(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		got, err := Read(f)
		if err != nil {
			t.Errorf("%s: %v", options, err)
			continue
		}
		if at, err := blob.Equal(t.Context(), got, d); err != nil || at >= 0 {
			t.Errorf("%s: differs at %d, %v", options, at, err)
		}
	}
}

// TestReadRuns: blocks that follow each other are one extent, and holes none.
func TestReadRuns(t *testing.T) {
	t.Parallel()
	d, err := blob.NewImage(20*mib, blob.Extent{Name: "a", Blob: blob.Bytes(bytes.Repeat([]byte("x"), 5*mib))}, blob.Extent{Name: "b", Offset: 9 * mib, Blob: blob.String("y")})
	if err != nil {
		t.Fatal(err)
	}
	im, err := Format(d, Options{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(im)
	if err != nil {
		t.Fatal(err)
	}
	if e := got.Extents(); len(e) != 2 || e[0].Blob.Size() != 5*mib || e[1].Offset != 9*mib || e[1].Blob.Size() != mib {
		t.Errorf("%+v", e)
	}
}

// TestReadDamaged changes one thing in an image of which everything is there twice that can be.
func TestReadDamaged(t *testing.T) {
	t.Parallel()
	im, err := Format(disk(t, 3*mib, 0), Options{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := blob.ReadAll(im, im.Size())
	if err != nil {
		t.Fatal(err)
	}
	const items = metadataAt + tableSize
	sealed := func(p []byte) { clear(p[4:8]); checked(p) }
	for name, c := range map[string]struct {
		change func(p []byte) []byte
		want   string // of the error; "" for none
		kind   report.Kind
	}{
		"one header":          {func(p []byte) []byte { p[128*kib] = 0; return p }, "", 0},
		"both headers":        {func(p []byte) []byte { p[64*kib+9], p[128*kib+9] = 9, 9; return p }, "no header", report.Invalid},
		"one table":           {func(p []byte) []byte { p[192*kib+20] ^= 1; return p }, "", 0},
		"both tables":         {func(p []byte) []byte { p[192*kib], p[256*kib] = 0, 0; return p }, "no table of regions", report.Invalid},
		"a log":               {func(p []byte) []byte { h := p[128*kib : 132*kib]; h[48] = 1; sealed(h); return p }, "a log", report.Unsupported},
		"the older has a log": {func(p []byte) []byte { h := p[64*kib : 68*kib]; h[48] = 1; sealed(h); return p }, "", 0},
		"version":             {func(p []byte) []byte { h := p[128*kib : 132*kib]; h[66] = 2; sealed(h); return p }, "version 2", report.Unsupported},
		"unknown region": {func(p []byte) []byte {
			r := p[192*kib : 256*kib]
			r[16] = 0
			sealed(r)
			return p
		}, "a region", report.Unsupported},
		"a region outside": {func(p []byte) []byte {
			r := p[192*kib : 256*kib]
			binary.LittleEndian.PutUint64(r[32:], 1<<62)
			sealed(r)
			return p
		}, "a region of", report.Invalid},
		"no metadata":     {func(p []byte) []byte { p[metadataAt] = 0; return p }, "no metadata", report.Invalid},
		"an item away":    {func(p []byte) []byte { p[metadataAt+32] ^= 1; return p }, "lacks", report.Invalid},
		"a parent":        {func(p []byte) []byte { p[items+4] = 2; return p }, "another file", report.Unsupported},
		"odd blocks":      {func(p []byte) []byte { p[items] = 1; return p }, "blocks of", report.Invalid},
		"no disk":         {func(p []byte) []byte { clear(p[items+8 : items+16]); return p }, "a disk of 0", report.Invalid},
		"table too short": {func(p []byte) []byte { p[items+8+5] = 0x10; return p }, "a table of", report.Invalid},
		"a block outside": {func(p []byte) []byte { p[tableAt+5] = 0xff; return p }, "block 0 is at", report.Invalid},
		"a block in part": {func(p []byte) []byte { p[tableAt] = 7; return p }, "in part", report.Invalid},
		"cut":             {func(p []byte) []byte { return p[:len(p)-1] }, "block 0 is at", report.Invalid},
		"only the name":   {func(p []byte) []byte { return p[:8] }, "no header", report.Invalid},
	} {
		_, err := Read(blob.Bytes(c.change(bytes.Clone(whole))))
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzRead changes a few bytes of an image's metadata, with the checksums made good.
func FuzzRead(f *testing.F) {
	im, err := Format(disk(f, 3*mib, 0, 2*mib), Options{ID: id})
	if err != nil {
		f.Fatal(err)
	}
	whole, err := blob.ReadAll(im, im.Size())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(192*kib+24), uint64(3), uint32(tableAt), uint64(7))
	f.Add(uint32(metadataAt+10), uint64(0xffff), uint32(metadataAt+tableSize), uint64(1<<28))
	f.Fuzz(func(t *testing.T, a uint32, x uint64, b uint32, y uint64) {
		p := bytes.Clone(whole)
		binary.LittleEndian.PutUint64(p[int(a)%(len(p)-8):], x)
		binary.LittleEndian.PutUint64(p[int(b)%(len(p)-8):], y)
		for _, part := range [][]byte{p[64*kib : 68*kib], p[128*kib : 132*kib], p[192*kib : 256*kib], p[256*kib : 320*kib]} {
			clear(part[4:8])
			checked(part)
		}
		if d, err := Read(blob.Bytes(p)); err == nil && d.Size() < 1<<30 {
			for _, e := range d.Extents() {
				blob.ReadFull(d, make([]byte, 16), e.Offset)
			}
		}
	})
}
