package vmdk

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func disk(t testing.TB, size int64, offsets ...int64) *blob.Image {
	t.Helper()
	var extents []blob.Extent
	for i, off := range offsets {
		p := make([]byte, min(300000, size-off))
		rand.NewChaCha8([32]byte{byte(i)}).Read(p[:len(p)/2])
		extents = append(extents, blob.Extent{Name: "x", Offset: off, Blob: blob.Bytes(p)})
	}
	im, err := blob.NewImage(size, extents...)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func disks(t testing.TB) map[string]*blob.Image {
	return map[string]*blob.Image{
		"one sector": disk(t, 512, 0),
		"zeros":      disk(t, 100<<20),
		"odd":        disk(t, 1<<20+512, 0, 600000),
		"tables":     disk(t, 200<<20, 1000, 32<<20-5000, 170<<20),
		"last grain": disk(t, 3<<30+512, 5, 3<<30),
	}
}

// TestJudge: qemu-img reads the same disk, and 7z, which looks at every marker, finds no fault.
func TestJudge(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	oracle.Need(t, "7z")
	for name, d := range disks(t) {
		dir := t.TempDir()
		file, raw := filepath.Join(dir, "disk.vmdk"), filepath.Join(dir, "raw")
		if err := os.WriteFile(file, streamed(t, d), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := blob.WriteFile(t.Context(), raw, d, blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		if out := oracle.Run(t, "qemu-img", "check", "-f", "vmdk", file); !strings.Contains(out, "No errors") {
			t.Errorf("%s: %s", name, out)
		}
		if out := oracle.Run(t, "qemu-img", "compare", "-f", "vmdk", "-F", "raw", file, raw); !strings.Contains(out, "Images are identical") {
			t.Errorf("%s: %s", name, out)
		}
		if name != "zeros" {
			if out := oracle.Run(t, "7z", "t", file); !strings.Contains(out, "Everything is Ok") {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// TestFlat: qemu-img finds the disk beside its descriptor.
func TestFlat(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "qemu-img")
	d, dir := disks(t)["tables"], t.TempDir()
	text, err := Flat(d.Size(), "disk-flat.vmdk", Options{ID: 7})
	if err != nil {
		t.Fatal(err)
	}
	file, raw := filepath.Join(dir, "disk.vmdk"), filepath.Join(dir, "disk-flat.vmdk")
	for name, content := range map[string]blob.Blob{file: text, raw: d} {
		if err := blob.WriteFile(t.Context(), name, content, blob.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if out := oracle.Run(t, "qemu-img", "info", "-f", "vmdk", file); !strings.Contains(out, "create type: monolithicFlat") {
		t.Error(out)
	}
	if out := oracle.Run(t, "qemu-img", "compare", "-f", "vmdk", "-F", "raw", file, raw); !strings.Contains(out, "Images are identical") {
		t.Error(out)
	}
	for _, name := range []string{"", `a"b`, "a/b"} {
		if _, err := Flat(512, name, Options{}); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Flat(100, "x", Options{}); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
}

func streamed(t testing.TB, d blob.Blob) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Stream(t.Context(), &b, d, Options{ID: 0x1234}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDeterministic: neither the number of processors nor how the disk's holes are known changes a byte.
func TestDeterministic(t *testing.T) {
	d := disks(t)["tables"]
	one := streamed(t, d)
	before := runtime.GOMAXPROCS(1)
	two := streamed(t, d)
	runtime.GOMAXPROCS(before)
	whole, _ := blob.ReadAll(d, d.Size())
	if !bytes.Equal(one, two) || !bytes.Equal(one, streamed(t, blob.Bytes(whole))) {
		t.Error("the image differs")
	}
	if len(one) > 1<<20 {
		t.Errorf("%d bytes", len(one))
	}
}

type broken struct{ blob.Blob }

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("bad sector") }

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestErrors(t *testing.T) {
	if err := Stream(t.Context(), io.Discard, blob.Zeros(100), Options{}); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
	if err := Stream(t.Context(), io.Discard, &broken{blob.Zeros(1 << 20)}, Options{}); err == nil || !strings.Contains(err.Error(), "bad sector") {
		t.Error(err)
	}
	if err := Stream(t.Context(), full{}, disks(t)["odd"], Options{}); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Error(err)
	}
}
