package vhdx

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

var id = [16]byte{1, 2, 3}

// disk has size bytes with some text at each of the offsets.
func disk(t testing.TB, size int64, offsets ...int64) *blob.Image {
	t.Helper()
	var extents []blob.Extent
	for _, off := range offsets {
		extents = append(extents, blob.Extent{Name: "x", Offset: off, Blob: blob.String("at " + fmt.Sprint(off))})
	}
	im, err := blob.NewImage(size, extents...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestJudge: qemu-img finds nothing wrong with any image, and reads the same disk. It knows sectors of 512 bytes only.
func TestJudge(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	oracle.Need(t, "qemu-io")
	for name, d := range map[string]*blob.Image{
		"one sector": disk(t, 512, 0),
		"zeros":      disk(t, 10*mib),
		"odd":        disk(t, 3*mib+512, 0, mib-4, 3*mib+500),
		"chunks":     disk(t, 5<<30, 0, 4<<30-3, 4<<30+mib, 5<<30-16), // a bitmap's entry lies in the table at 4 GiB
		"large":      disk(t, 3<<40, 0, 1<<40, 3<<40-16),              // blocks of 4 MiB
	} {
		im, err := Format(d, Options{ID: id})
		if err != nil {
			t.Fatal(name, err)
		}
		if at := len(d.Extents()); im.Size() > tableAt+8*mib+int64(2*at)*4*mib {
			t.Errorf("%s: %d bytes", name, im.Size())
		}
		file, raw := oracle.File(t, im), filepath.Join(t.TempDir(), "raw")
		if err := blob.WriteFile(t.Context(), raw, d, blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if out := oracle.Run(t, "qemu-img", "check", "-f", "vhdx", file); !strings.Contains(out, "No errors were found") {
			t.Errorf("%s: %s", name, out)
		}
		if out := oracle.Run(t, "qemu-img", "info", "--output=json", "-f", "vhdx", file); !strings.Contains(out, `"virtual-size": `+fmt.Sprint(d.Size())) {
			t.Errorf("%s: %s", name, out)
		}
		if d.Size() > 1<<30 { // reading all of it would take minutes
			for _, e := range d.Extents() {
				out := oracle.Run(t, "qemu-io", "-r", "-f", "vhdx", "-c", fmt.Sprintf("read -v %d 16", e.Offset), file)
				if !strings.Contains(out, fmt.Sprint("at.", e.Offset)) {
					t.Errorf("%s: at %d: %s", name, e.Offset, out)
				}
			}
			continue
		}
		if out := oracle.Run(t, "qemu-img", "compare", "-f", "vhdx", "-F", "raw", file, raw); !strings.Contains(out, "Images are identical") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// TestSecondJudge: 7z, which reads both headers and the checksums, finds the same disk.
func TestSecondJudge(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "7z")
	d := disk(t, 5<<20, 0, 3<<20+7)
	for _, sector := range []int{512, 4096} {
		im, err := Format(d, Options{ID: id, SectorSize: sector})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		file := filepath.Join(dir, "disk.vhdx")
		if err := blob.WriteFile(t.Context(), file, im, blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		oracle.Run(t, "7z", "x", "-o"+filepath.Join(dir, "out"), file)
		found, err := filepath.Glob(filepath.Join(dir, "out", "*"))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		got, err := blob.OpenFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		defer got.Close()
		if at, err := blob.Equal(t.Context(), got, d); err != nil || at >= 0 {
			t.Errorf("sectors of %d: differs at %d, %v", sector, at, err)
		}
	}
}

// FuzzFormat: whatever the disk, the image holds it, in whole MiB.
func FuzzFormat(f *testing.F) {
	f.Add(int64(10<<20), int64(0), int64(5<<20), false)
	f.Add(int64(9<<30), int64(4<<30-3), int64(4<<30+mib), true)
	f.Add(int64(3<<40), int64(1<<40), int64(2<<40), false)
	f.Fuzz(func(t *testing.T, size, a, b int64, large bool) {
		if size < 100 || size > maxDisk || a < 0 || b < a+30 || b > size-30 {
			return
		}
		sector := map[bool]int{false: 512, true: 4096}[large]
		d := disk(t, size, a, b)
		im, err := Format(d, Options{ID: id, SectorSize: sector})
		if size%int64(sector) != 0 {
			if report.KindOf(err) != report.Invalid {
				t.Error(err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if im.Size()%mib != 0 {
			t.Errorf("%d bytes", im.Size())
		}
		if size > 1<<32 {
			return // not byte by byte
		}
		got, err := Read(im)
		if err != nil {
			t.Fatal(err)
		}
		if at, err := blob.Equal(t.Context(), got, d); err != nil || at >= 0 {
			t.Errorf("differs at %d, %v", at, err)
		}
	})
}

// TestByReference: the disk's bytes are not copied, and the same disk gives the same image.
func TestByReference(t *testing.T) {
	content := blob.String(strings.Repeat("x", 3<<20))
	d, err := blob.NewImage(8<<30, blob.Extent{Name: "x", Offset: 5 << 20, Blob: content})
	if err != nil {
		t.Fatal(err)
	}
	im, err := Format(d, Options{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := blob.Locate(im, content); !ok || at%mib != 0 || im.Size() != at+3<<20 {
		t.Errorf("%d of %d bytes, %v", at, im.Size(), ok)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		o    Options
		kind report.Kind
	}{
		"no identifier": {mib, Options{}, report.Invalid},
		"empty":         {0, Options{ID: id}, report.Invalid},
		"half a sector": {mib + 512, Options{ID: id, SectorSize: 4096}, report.Invalid},
		"odd sectors":   {mib, Options{ID: id, SectorSize: 1024}, report.Invalid},
		"too large":     {maxDisk + 512, Options{ID: id}, report.Unsupported},
	} {
		if _, err := Format(blob.Zeros(c.size), c.o); report.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
}
