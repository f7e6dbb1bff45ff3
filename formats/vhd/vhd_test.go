package vhd

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

var epoch = time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)

func disk(t testing.TB, size int64) *blob.Image {
	im, err := blob.NewImage(size, blob.Extent{Name: "a", Blob: blob.String("boot")}, blob.Extent{Name: "b", Offset: size - 3, Blob: blob.String("end")})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

var sizes = []int64{mib, mib + 512, 100<<20 + 512, 1246 << 20, 8 << 30, 200 << 30}

func TestRoundTrip(t *testing.T) {
	for _, size := range sizes {
		d := disk(t, size)
		im, err := Format(d, Options{ID: [16]byte{1}, Epoch: epoch})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(im)
		if err != nil || got.Size() != blob.Align(size, mib) || im.Size() != got.Size()+512 {
			t.Fatal(err)
		}
		if at, ok := blob.Locate(im, d); at != 0 || !ok {
			t.Error("the disk was copied")
		}
	}
}

// TestJudge: qemu-img reads the size and the bytes of every disk.
func TestJudge(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	for _, size := range sizes {
		d := disk(t, size)
		im, err := Format(d, Options{ID: [16]byte{1}, Epoch: epoch})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		file, raw := filepath.Join(dir, "vhd"), filepath.Join(dir, "raw")
		for name, b := range map[string]blob.Blob{file: im, raw: d} {
			if err := blob.WriteFile(t.Context(), name, b, blob.WriteOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if out := oracle.Run(t, "qemu-img", "info", "--output=json", "-f", "vpc", file); !strings.Contains(out, `"virtual-size": `+fmt.Sprint(blob.Align(size, mib))) {
			t.Errorf("%d: %s", size, out)
		}
		if out := oracle.Run(t, "qemu-img", "compare", "-f", "vpc", "-F", "raw", file, raw); !strings.Contains(out, "Images are identical") {
			t.Errorf("%d: %s", size, out)
		}
	}
}

// TestFooterIsTheirs: our footer differs from that of qemu-img only in the identifier, the time, the creator and the checksum.
func TestFooterIsTheirs(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	for _, size := range sizes {
		size = blob.Align(size, mib)
		file := filepath.Join(t.TempDir(), "theirs")
		oracle.Run(t, "qemu-img", "create", "-f", "vpc", "-o", "subformat=fixed,force_size", file, fmt.Sprint(size))
		theirs, err := blob.OpenFile(file)
		if err != nil {
			t.Fatal(err)
		}
		defer theirs.Close()
		if _, err := Read(theirs); err != nil {
			t.Fatal(err)
		}
		a, b := footer(size, Options{ID: [16]byte{1}, Epoch: epoch}), make([]byte, 512)
		if err := blob.ReadFull(theirs, b, theirs.Size()-512); err != nil {
			t.Fatal(err)
		}
		for i := range a {
			free := i >= 24 && i < 36 || i >= 64 && i < 84
			if a[i] != b[i] && !free {
				t.Errorf("%d bytes: byte %d is %#x, theirs %#x", size, i, a[i], b[i])
			}
		}
	}
}

func TestRefused(t *testing.T) {
	if _, err := Format(blob.Zeros(1), Options{}); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
	if _, err := Format(blob.Zeros(3<<40), Options{ID: [16]byte{1}}); report.KindOf(err) != report.Unsupported {
		t.Error(err)
	}
	im, err := Format(blob.Zeros(mib), Options{ID: [16]byte{1}, Epoch: epoch})
	if err != nil {
		t.Fatal(err)
	}
	whole, _ := blob.ReadAll(im, im.Size())
	for name, c := range map[string]struct {
		change func([]byte) []byte
		kind   report.Kind
	}{
		"empty":     {func([]byte) []byte { return nil }, report.NotFound},
		"no footer": {func(p []byte) []byte { return p[:mib] }, report.NotFound},
		"damaged":   {func(p []byte) []byte { p[mib+50] ^= 1; return p }, report.Invalid},
		"truncated": {func(p []byte) []byte { return p[512:] }, report.Invalid},
		"dynamic": {func(p []byte) []byte {
			p[mib+63], p[mib+67] = 3, p[mib+67]-1
			return p
		}, report.Unsupported},
	} {
		if _, err := Read(blob.Bytes(c.change(append([]byte(nil), whole...)))); report.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(footer(0, Options{ID: [16]byte{1}}))
	f.Fuzz(func(_ *testing.T, p []byte) { Read(blob.Bytes(p)) })
}
