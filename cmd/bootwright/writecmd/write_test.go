package writecmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/gzip"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/vhd"
	"github.com/bootwright/bootwright/formats/vhdx"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/formats/xz"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/blockdev"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
)

// image is a disk of three pieces and a bit: content, zeros, content.
func image(t testing.TB) (*blob.Image, []byte) {
	t.Helper()
	im, err := blob.NewImage(3*piece+1<<20, blob.Extent{Name: "a", Blob: blob.String("bootwright")}, blob.Extent{Name: "b", Offset: 2*piece + 5, Blob: blob.Bytes(bytes.Repeat([]byte("x"), 1000))})
	if err != nil {
		t.Fatal(err)
	}
	p, err := blob.ReadAll(im, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return im, p
}

func save(t testing.TB, name string, b blob.Blob) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := blob.WriteFile(t.Context(), path, b, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func packed(t testing.TB, pack func(ctx context.Context, w io.Writer) error) blob.Blob {
	t.Helper()
	var b bytes.Buffer
	if err := pack(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return blob.Bytes(b.Bytes())
}

func must(t testing.TB) func(b blob.Blob, err error) blob.Blob {
	return func(b blob.Blob, err error) blob.Blob {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func stream(t testing.TB, disk blob.Blob) blob.Blob {
	return packed(t, func(ctx context.Context, w io.Writer) error { return vmdk.Stream(ctx, w, disk, vmdk.Options{}) })
}

func env() Env {
	return Env{Stdout: io.Discard, Say: func(string, ...any) {}, Progress: func() *progress.Progress { return nil }}
}

// TestFormats writes the disk that is in every kind of file over old bytes.
func TestFormats(t *testing.T) {
	t.Parallel()
	im, want := image(t)
	gz := func(b blob.Blob) blob.Blob {
		return packed(t, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, b, 1) })
	}
	for name, b := range map[string]blob.Blob{
		"raw": im, "gz": gz(im), "tar.gz": gz(archive(t, tar.File{Name: "disk.raw", Content: im})),
		"zst":   packed(t, func(ctx context.Context, w io.Writer) error { return zstd.Compress(ctx, w, im, zstd.Options{}) }),
		"xz":    packed(t, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, im) }),
		"qcow2": must(t)(qcow2.Format(im, qcow2.Options{})),
		"vhdx":  must(t)(vhdx.Format(im, vhdx.Options{ID: [16]byte{1}})),
		"vhd":   must(t)(vhd.Format(im, vhd.Options{ID: [16]byte{1}})),
		"vmdk":  stream(t, im), "ova": archive(t, machine(t, stream(t, im))...),
	} {
		target := save(t, "disk", blob.Bytes(bytes.Repeat([]byte{0xee}, 4*piece)))
		if err := run(t.Context(), env(), options{image: save(t, name, b), target: target, force: true, verify: true}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := os.ReadFile(target)
		if err != nil || !bytes.Equal(got[:len(want)], want) || !bytes.Equal(got[len(want):], bytes.Repeat([]byte{0xee}, 4*piece-len(want))) {
			t.Errorf("%s: the disk differs, %v", name, err)
		}
	}
}

// TestDamaged: what is not whole is refused before the disk changes.
func TestDamaged(t *testing.T) {
	t.Parallel()
	im, _ := image(t)
	cut := func(b blob.Blob) blob.Blob { return blob.Slice(b, 0, b.Size()-20) }
	spoiled := must(t)(blob.Overlay(stream(t, im), blob.Extent{Name: "grain", Offset: 64<<10 + 30, Blob: blob.String("x")}))
	for name, b := range map[string]blob.Blob{
		"gz":  cut(packed(t, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, im, 1) })),
		"zst": cut(packed(t, func(ctx context.Context, w io.Writer) error { return zstd.Compress(ctx, w, im, zstd.Options{}) })),
		"xz":  cut(packed(t, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, im) })),
		"archive": packed(t, func(ctx context.Context, w io.Writer) error {
			return gzip.Compress(ctx, w, archive(t, tar.File{Name: "x", Content: im}), 1)
		}),
		"vmdk":  cut(stream(t, im)),
		"grain": spoiled,
		"flat":  must(t)(vmdk.Flat(im.Size(), "x-flat.vmdk", vmdk.Options{})),
		"ova":   cut(archive(t, machine(t, stream(t, im))...)),
		"packed qcow2": packed(t, func(ctx context.Context, w io.Writer) error {
			return gzip.Compress(ctx, w, must(t)(qcow2.Format(im, qcow2.Options{})), 1)
		}),
		"vhdx":  cut(must(t)(vhdx.Format(im, vhdx.Options{ID: [16]byte{1}}))),
		"empty": blob.Zeros(0),
	} {
		old := bytes.Repeat([]byte{0xee}, 4*piece)
		target := save(t, "disk", blob.Bytes(old))
		err := run(t.Context(), env(), options{image: save(t, name, b), target: target, force: true})
		if k := report.KindOf(err); k != report.Invalid && k != report.Unsupported {
			t.Errorf("%s: %v (%v)", name, err, k)
		}
		if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, old) {
			t.Errorf("%s: the disk changed, %v", name, err)
		}
	}
}

// device is a disk in memory that fails, or forgets.
type device struct {
	p       []byte
	writes  int // until it fails; -1 for never
	forgets bool
}

var errDisk = errors.New("the disk is gone")

func (d *device) Size() int64                             { return int64(len(d.p)) }
func (d *device) Sync() error                             { return nil }
func (d *device) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(d.p).ReadAt(p, off) }

func (d *device) WriteAt(p []byte, off int64) (int, error) {
	if d.writes == 0 {
		return 0, errDisk
	}
	d.writes--
	if !d.forgets {
		copy(d.p[off:], p)
	}
	return len(p), nil
}

func (d *device) Zero(off, size int64) error {
	_, err := d.WriteAt(make([]byte, size), off)
	return err
}

// table is an image with a partition table, and what its partition holds.
func table(t testing.TB) (*blob.Image, []byte) {
	t.Helper()
	content := bytes.Repeat([]byte("partition"), 1<<20)
	im, err := gpt.Format([]gpt.Partition{{Name: "EFI", Type: gpt.EFISystem(), Content: blob.Bytes(content)}}, gpt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return im, content
}

// TestLargerDisk: sgdisk finds the table sound on a disk that is larger than the image, whatever was there, and also after writing it
// again with --resume, when all but the pieces with the table is there already.
func TestLargerDisk(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "sgdisk")
	im, content := table(t)
	file := save(t, "image", im)
	target := save(t, "disk", blob.Bytes(bytes.Repeat([]byte{0xee}, 10*piece)))
	for _, resume := range []bool{false, true} {
		var out bytes.Buffer
		e := env()
		e.Stdout = &out
		if err := run(t.Context(), e, options{image: file, target: target, force: true, resume: resume, verify: true, json: true}); err != nil {
			t.Fatal(err)
		}
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil || !r.Moved || !r.Verified || resume && r.Kept != piece {
			t.Errorf("resume %v: %+v, %v", resume, r, err)
		}
		if out := oracle.Run(t, "sgdisk", "-v", target); !strings.Contains(out, "No problems found") || strings.Contains(out, "Warning") {
			t.Error(out)
		}
		disk, err := blob.OpenFile(target)
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		got, err := gpt.Read(disk)
		if err != nil || got.BackupDamaged || got.DiskSize != 10*piece {
			t.Fatalf("%+v, %v", got, err)
		}
		p, err := blob.ReadAll(got.Partitions[0].Content, 1<<30)
		if err != nil || !bytes.Equal(p[:len(content)], content) {
			t.Errorf("the partition differs, %v", err)
		}
	}
}

// TestMoveTable breaks off at every write: the table that is found is always whole.
func TestMoveTable(t *testing.T) {
	t.Parallel()
	im, _ := table(t)
	for n := range 6 {
		d := &device{p: make([]byte, im.Size()+piece), writes: -1}
		if _, err := im.ReadAt(d.p[:im.Size()], 0); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		d.writes = n
		moved, err := moveTable(t.Context(), d, true)
		if want := n == 5; moved != want || want != (err == nil) || !want && !errors.Is(err, errDisk) {
			t.Errorf("%d writes: %v, %v", n, moved, err)
		}
		if got, err := gpt.Read(d); err != nil || got.RecoveredFromBackup || len(got.Partitions) != 1 {
			t.Errorf("after %d writes: %+v, %v", n, got, err)
		}
	}
	d := &device{p: make([]byte, im.Size()+piece), writes: -1}
	im.ReadAt(d.p[:im.Size()], 0)
	d.forgets = true
	if _, err := moveTable(t.Context(), d, true); report.KindOf(err) != report.Invalid {
		t.Errorf("a device that forgets: %v", err)
	}
}

// TestSectorSize: an image for other sectors than the disk's is refused, and not what has no table.
func TestSectorSize(t *testing.T) {
	t.Parallel()
	im, _ := table(t)
	gz := packed(t, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, im, 1) })
	for name, b := range map[string]blob.Blob{"raw": im, "gz": gz} {
		src, err := openSource(t.Context(), save(t, name, b), func(int64) {})
		if err != nil {
			t.Fatal(err)
		}
		defer src.file.Close()
		if src.size != im.Size() || src.sector != 512 {
			t.Errorf("%s: %d bytes, sectors of %d", name, src.size, src.sector)
		}
		disk, err := blockdev.Open(save(t, "disk", blob.Zeros(im.Size())))
		if err != nil {
			t.Fatal(err)
		}
		defer disk.Close()
		disk.Device, disk.SectorSize = true, 4096
		err = checkTarget(disk, src, options{target: "sdb"}, &result{})
		if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "sdb has sectors of 4096 bytes") {
			t.Errorf("%s: %v", name, err)
		}
		src.sector = 0
		if err := checkTarget(disk, src, options{}, &result{}); err != nil {
			t.Errorf("%s without a table: %v", name, err)
		}
	}
}

// TestForeign: a disk with partitions of another kind is somebody's, and stays as it is without --force.
func TestForeign(t *testing.T) {
	t.Parallel()
	im, _ := image(t)
	record := make([]byte, 512)
	copy(record[446:], "\x00\x20\x21\x00\x07\xfe\xff\xff\x00\x08\x00\x00\x00\x40\x00\x00") // 8 MiB of type 7, NTFS, from 1 MiB on
	record[510], record[511] = 0x55, 0xaa
	whole, _ := table(t)
	backup := make([]byte, im.Size())
	if _, err := whole.ReadAt(backup[im.Size()-16896:], whole.Size()-16896); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	for name, old := range map[string][]byte{
		"mbr": append(record, make([]byte, im.Size()-512)...), "backup of a gpt": backup,
	} {
		target := save(t, name, blob.Bytes(old))
		err := run(t.Context(), env(), options{image: save(t, "image", im), target: target})
		if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "is not empty: it holds") {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(target); err != nil || !bytes.Equal(got, old) {
			t.Errorf("%s: the disk changed, %v", name, err)
		}
	}
}

// TestTooSmall: a disk that is smaller than the image stays as it is.
func TestTooSmall(t *testing.T) {
	t.Parallel()
	im, _ := image(t)
	target := save(t, "disk", blob.String(strings.Repeat("x", 1<<20)))
	err := run(t.Context(), env(), options{image: save(t, "image", im), target: target, force: true})
	if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "less than the image needs") {
		t.Error(err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != strings.Repeat("x", 1<<20) {
		t.Error("the disk changed", err)
	}
}

// TestResume breaks a write at every point; it goes on with what is missing.
func TestResume(t *testing.T) {
	t.Parallel()
	im, want := image(t)
	for n := range 4 {
		d := &device{p: bytes.Repeat([]byte{0xee}, len(want)), writes: n}
		none := func(int64) {}
		if _, _, err := copyTo(t.Context(), d, blob.Reader(im), false, none); !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
		d.writes = -1
		c, sums, err := copyTo(t.Context(), d, blob.Reader(im), true, none)
		if err != nil || !bytes.Equal(d.p, want) || c.Kept != int64(n)*piece || c.Kept+c.Written+c.Zeroed != im.Size() {
			t.Errorf("%d: %+v, %v", n, c, err)
		}
		if err := verify(t.Context(), d, im.Size(), sums, none); err != nil {
			t.Error(err)
		}
		d.p[piece+7] ^= 1
		if err := verify(t.Context(), d, im.Size(), sums, none); report.KindOf(err) != report.Invalid {
			t.Errorf("a flipped bit: %v", err)
		}
	}
}
