//go:build unix

package blob_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// sampleImage has what a writer meets: holes at both ends, memory, a file at offsets of every alignment, zeros known and not.
func sampleImage(t testing.TB) (*blob.Image, []byte) {
	t.Helper()
	data := pattern(3, 9<<20)
	file := openFile(t, data)
	im := image(t, 30<<20,
		extent(4096, file), // aligned: the kernel copies
		extent(10<<20+1, blob.Slice(file, 5000, 5<<20)),
		extent(16<<20, blob.Concat(blob.Part("a", blob.String("memory")), blob.Part("b", blob.Zeros(100)), blob.Part("c", blob.Slice(file, 8<<20, 4096)))),
		extent(20<<20, blob.Bytes(make([]byte, 1<<20))),
	)
	flat, err := blob.ReadAll(im, 30<<20)
	if err != nil {
		t.Fatal(err)
	}
	return im, flat
}

func write(t testing.TB, path string, b blob.Blob, o blob.WriteOptions) {
	t.Helper()
	if err := blob.WriteFile(context.Background(), path, b, o); err != nil {
		t.Fatal(err)
	}
}

func entries(t testing.TB, dir string) []string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return names
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	im, flat := sampleImage(t)
	for name, c := range map[string]struct {
		b    blob.Blob
		want []byte
	}{"image": {im, flat}, "slice": {blob.Slice(im, 4097, 17<<20), flat[4097 : 4097+17<<20]}, "empty": {blob.Zeros(0), nil}, "hole": {blob.Zeros(5000), make([]byte, 5000)}} {
		dir := t.TempDir()
		path := filepath.Join(dir, "out.img")
		var told int64
		write(t, path, c.b, blob.WriteOptions{Progress: func(n int64) { told += n }})
		got, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: wrong content, %v", name, err)
		}
		if told != int64(len(c.want)) {
			t.Errorf("%s: progress of %d bytes, want %d", name, told, len(c.want))
		}
		if es := entries(t, dir); len(es) != 1 {
			t.Errorf("%s: left behind %q", name, es)
		}
	}
}

func TestWriteFileIsSparse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "sparse")
	write(t, path, image(t, 1<<33, extent(1<<32, blob.String("x"))), blob.WriteOptions{})
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if sys := st.Sys().(*syscall.Stat_t); st.Size() != 1<<33 || sys.Blocks*512 > 1<<20 {
		t.Errorf("%d bytes take %d", st.Size(), sys.Blocks*512)
	}
}

func TestWriteFileMode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o777); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(filepath.Join(dir, "x"))
	if err != nil {
		t.Fatal(err)
	}
	umask := 0o777 &^ st.Mode().Perm()
	for mode, want := range map[fs.FileMode]fs.FileMode{0: 0o644, 0o755: 0o755, 0o600: 0o600} {
		path := filepath.Join(dir, mode.String())
		write(t, path, blob.String("x"), blob.WriteOptions{Mode: mode})
		if st, err := os.Stat(path); err != nil || st.Mode() != want&^umask {
			t.Errorf("mode %v becomes %v, %v; want %v", mode, st.Mode(), err, want&^umask)
		}
	}
}

func TestWriteFileReplaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, link := filepath.Join(dir, "old"), filepath.Join(dir, "link")
	write(t, old, blob.String("old"), blob.WriteOptions{})
	if err := os.Symlink("old", link); err != nil {
		t.Fatal(err)
	}
	write(t, link, blob.String("new"), blob.WriteOptions{})
	write(t, filepath.Join(dir, strings.Repeat("ü", 127)), blob.String("a name of 254 bytes"), blob.WriteOptions{})
	for path, want := range map[string]string{old: "old", link: "new"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
		}
	}
	if st, err := os.Lstat(link); err != nil || !st.Mode().IsRegular() {
		t.Errorf("the link is now %v, %v", st, err)
	}
}

func TestWriteFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	write(t, file, blob.String("x"), blob.WriteOptions{})
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(dir, "read-only")
	if err := os.Mkdir(readOnly, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // who may write anywhere but where the kernel says no
		readOnly = "/proc"
	}
	before := entries(t, dir)
	for path, want := range map[string]string{
		dir:                             "is a directory",
		pipe:                            "not a regular file",
		"/dev/null":                     "not a regular file",
		filepath.Join(dir, "none/file"): "no such file or directory",
		filepath.Join(file, "below"):    "not a directory",
		filepath.Join(readOnly, "file"): "",
		filepath.Join(dir, strings.Repeat("x", 300)): "file name too long",
	} {
		err := blob.WriteFile(context.Background(), path, blob.String("new"), blob.WriteOptions{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want %q and the path", path, err, want)
		}
	}
	if after := entries(t, dir); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("left behind %q", after)
	}
	if st, err := os.Stat("/dev/null"); err != nil || st.Mode()&fs.ModeDevice == 0 {
		t.Fatal("/dev/null is gone")
	}
}

// TestWriteFileCancelled stops a write in the middle, at its start, and by an input that fails.
func TestWriteFileCancelled(t *testing.T) {
	t.Parallel()
	im, _ := sampleImage(t)
	broken := image(t, 30<<20, extent(0, blob.Slice(im, 0, 20<<20)), extent(25<<20, lying(10)))
	for name, run := range map[string]func(path string) error{
		"in the middle": func(path string) error {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var told int64
			return blob.WriteFile(ctx, path, im, blob.WriteOptions{Progress: func(n int64) {
				if told += n; told > 6<<20 {
					cancel()
				}
			}})
		},
		"at its start": func(path string) error {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			return blob.WriteFile(ctx, path, im, blob.WriteOptions{})
		},
		"by its input": func(path string) error {
			return blob.WriteFile(context.Background(), path, broken, blob.WriteOptions{})
		},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "out")
		write(t, path, blob.String("old"), blob.WriteOptions{})
		if err := run(path); err == nil || !strings.Contains(err.Error(), path) || !errors.Is(err, context.Canceled) && !isShort(err, "at offset") {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" || len(entries(t, dir)) != 1 {
			t.Errorf("%s: holds %.20q beside %q, %v", name, got, entries(t, dir), err)
		}
	}
}

// TestWriteBeside: until Commit the old files are there, and after Discard nothing else is.
func TestWriteBeside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kept, replaced := filepath.Join(dir, "kept"), filepath.Join(dir, "replaced")
	for _, path := range []string{kept, replaced} {
		write(t, path, blob.String("old"), blob.WriteOptions{})
		p, err := blob.WriteBeside(context.Background(), path, blob.String("new"), blob.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "old" {
			t.Errorf("%s holds %q, %v before Commit", path, got, err)
		}
		if path == replaced {
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		p.Discard()
	}
	for path, want := range map[string]string{kept: "old", replaced: "new"} {
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
		}
	}
	if es := entries(t, dir); len(es) != 2 {
		t.Errorf("left behind %q", es)
	}
}

func TestOpenFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "is a directory", pipe: "not a regular file", "/dev/zero": "not a regular file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := blob.OpenFile(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("OpenFile(%s): %v; want %q", path, err, want)
		}
	}
}
