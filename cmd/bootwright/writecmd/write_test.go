package writecmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gzip"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/vhd"
	"github.com/bootwright/bootwright/formats/vhdx"
	"github.com/bootwright/bootwright/formats/xz"
	"github.com/bootwright/bootwright/formats/zstd"
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
	archive := must(t)(tar.Archive([]tar.File{{Name: "disk.raw", Content: im}}, tar.Options{}))
	for name, b := range map[string]blob.Blob{
		"raw": im, "gz": gz(im), "tar.gz": gz(archive),
		"zst":   packed(t, func(ctx context.Context, w io.Writer) error { return zstd.Compress(ctx, w, im, zstd.Options{}) }),
		"xz":    packed(t, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, im) }),
		"qcow2": must(t)(qcow2.Format(im, qcow2.Options{})),
		"vhd":   must(t)(vhd.Format(im, vhd.Options{ID: [16]byte{1}})),
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
	for name, b := range map[string]blob.Blob{
		"gz":  cut(packed(t, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, im, 1) })),
		"zst": cut(packed(t, func(ctx context.Context, w io.Writer) error { return zstd.Compress(ctx, w, im, zstd.Options{}) })),
		"xz":  cut(packed(t, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, im) })),
		"archive": packed(t, func(ctx context.Context, w io.Writer) error {
			return gzip.Compress(ctx, w, must(t)(tar.Archive([]tar.File{{Name: "x", Content: im}}, tar.Options{})), 1)
		}),
		"vmdk":  blob.Concat(blob.Part("magic", blob.String("KDMV")), blob.Part("rest", blob.Zeros(5000))),
		"vhdx":  must(t)(vhdx.Format(im, vhdx.Options{ID: [16]byte{1}})),
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
