package squashfs_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/blob/blobtest"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder is a folder with files of all shapes: none, small, of one block, of many, with holes, in deep and in full folders.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	random := make([]byte, 300_000)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	text := []byte(strings.Repeat("squashfs compresses this. ", 20_000))
	for name, content := range map[string][]byte{
		"empty": nil, "small": []byte("small"), "block": text[:4096], "two blocks": text[:8192], "text": text, "random": random,
		"a/b/c/d/deep": text[:5000], "holes": append(append(bytes.Clone(random[:9000]), make([]byte, 500_000)...), "end"...),
	} {
		p := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(p), 0o755))
		must(t, os.WriteFile(p, content, 0o644))
	}
	must(t, os.Mkdir(filepath.Join(dir, "full"), 0o750))
	for i := range 700 {
		must(t, os.WriteFile(filepath.Join(dir, "full", fmt.Sprintf("file-%d-%s", i, strings.Repeat("x", i%90))), random[i:2*i], 0o600))
	}
	must(t, os.Symlink("../a/b", filepath.Join(dir, "full/link")))
	must(t, os.Link(filepath.Join(dir, "text"), filepath.Join(dir, "hard")))
	must(t, os.Chmod(filepath.Join(dir, "small"), 0o755))
	return dir
}

// pack has mksquashfs make an image of dir.
func pack(t testing.TB, dir string, args ...string) blob.Blob {
	t.Helper()
	out := filepath.Join(t.TempDir(), "image")
	oracle.Run(t, "mksquashfs", append([]string{dir, out, "-quiet", "-no-progress", "-all-root", "-processors", "1", "-mkfs-time", "1700000000"}, args...)...)
	p, err := os.ReadFile(out)
	must(t, err)
	return blob.Bytes(p)
}

func TestAgainstMksquashfs(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	want, err := tree.FromDir(dir)
	must(t, err)
	for _, args := range []string{
		"-comp zstd", "-comp gzip", "-comp zstd -b 4096", "-comp zstd -no-fragments", "-comp gzip -always-use-fragments -b 65536", "-comp zstd -noI -noD -noF", "-comp zstd -b 1M",
	} {
		got, err := squashfs.Read(pack(t, dir, strings.Fields(args)...), squashfs.Options{})
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if got.Len() != want.Len()+1 { // the root is among them
			t.Errorf("%s: %d files, want %d", args, got.Len(), want.Len()+1)
		}
		for _, w := range want.Nodes() {
			g := got.Get(w.Path)
			if g == nil || g.Mode != w.Mode || g.Link != w.Link || g.Size() != w.Size() || g.ModTime.IsZero() || g.UID != 0 {
				t.Errorf("%s: %+v, want %+v", args, g, w)
				continue
			}
			if at, err := blob.Equal(t.Context(), g.Open(), w.Open()); at >= 0 || err != nil {
				t.Errorf("%s: %s differs at %d: %v", args, w.Path, at, err)
			}
		}
		if got.Get("hard").Content != got.Get("text").Content {
			t.Errorf("%s: the hard link has other content", args)
		}
	}
}

func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	im := pack(t, dir, "-comp", "zstd", "-p", "null c 666 0 0 1 3", "-p", "big b 600 0 0 259 70000", "-p", "/ d 1777 5 6")
	got, err := squashfs.Read(im, squashfs.Options{})
	must(t, err)
	for p, want := range map[string]string{"null": "Dcrw-rw-rw- 0:0 1,3", "big": "Drw------- 0:0 259,70000"} {
		n := got.Get(p)
		if s := fmt.Sprintf("%v %d:%d %d,%d", n.Mode, n.UID, n.GID, n.Major, n.Minor); s != want {
			t.Errorf("%s is %s, want %s", p, s, want)
		}
	}
}

func TestContentIsABlob(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	got, err := squashfs.Read(pack(t, dir, "-comp", "zstd", "-b", "4096"), squashfs.Options{})
	must(t, err)
	for _, p := range []string{"empty", "holes", "a/b/c/d/deep"} {
		want, err := os.ReadFile(filepath.Join(dir, p))
		must(t, err)
		blobtest.Run(t, got.Get(p).Open(), want)
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	good, err := blob.ReadAll(pack(t, folder(t), "-comp", "zstd"), 1<<30)
	must(t, err)
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		spoil func(p []byte) []byte
		kind  report.Kind
		says  string
	}{
		"empty":         {func(p []byte) []byte { return nil }, report.Invalid, "no image"},
		"other":         {func(p []byte) []byte { p[0] = 'x'; return p }, report.Invalid, "starts with"},
		"truncated":     {func(p []byte) []byte { return p[:len(p)/2] }, report.Invalid, "truncated"},
		"compressor":    {func(p []byte) []byte { p[20] = 4; return p }, report.Unsupported, "compressor 4"},
		"version":       {func(p []byte) []byte { p[28] = 3; return p }, report.Unsupported, "version 3"},
		"block size":    {func(p []byte) []byte { le.PutUint32(p[12:], 1<<30); return p }, report.Invalid, "blocks of"},
		"root":          {func(p []byte) []byte { le.PutUint64(p[32:], 1<<40); return p }, report.Invalid, "not in it"},
		"inode table":   {func(p []byte) []byte { le.PutUint64(p[64:], 100); return p }, report.Invalid, "squashfs: "},
		"fragments":     {func(p []byte) []byte { le.PutUint32(p[16:], 1<<31); return p }, report.Unsupported, "more than"},
		"owners":        {func(p []byte) []byte { le.PutUint16(p[26:], 0); return p }, report.Invalid, "owner"},
		"folder blocks": {func(p []byte) []byte { le.PutUint64(p[72:], le.Uint64(p[64:])); return p }, report.Invalid, "squashfs: "},
	} {
		_, err := squashfs.Read(blob.Bytes(c.spoil(bytes.Clone(good))), squashfs.Options{})
		if err == nil {
			t.Errorf("%s: is read", name)
			continue
		}
		reporttest.Want(t, err, c.kind, c.says)
	}
	_, err = squashfs.Read(blob.Bytes(good), squashfs.Options{MaxFiles: 600})
	reporttest.Want(t, err, report.Unsupported, "more than 600 files")
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	must(f, os.WriteFile(filepath.Join(dir, "a"), bytes.Repeat([]byte("text "), 3000), 0o644))
	must(f, os.WriteFile(filepath.Join(dir, "b"), []byte("b"), 0o644))
	must(f, os.Symlink("a", filepath.Join(dir, "l")))
	for _, args := range []string{"-noI -noD -noF -b 4096", "-comp gzip", "-comp zstd -no-fragments"} {
		p, err := blob.ReadAll(pack(f, dir, strings.Fields(args)...), 1<<20)
		must(f, err)
		f.Add(p)
	}
	attributes := &tree.Tree{}
	must(f, attributes.Add(tree.Node{Path: "x", Xattrs: map[string]string{"user.a": "b", "security.c": ""}}))
	p, err := blob.ReadAll(write(f, attributes, squashfs.WriteOptions{}), 1<<20)
	must(f, err)
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		tr, err := squashfs.Read(blob.Bytes(p), squashfs.Options{MaxFiles: 10_000})
		if err != nil {
			return
		}
		for _, n := range tr.Nodes() {
			if n.Mode.IsRegular() {
				buf := make([]byte, 5000)
				n.Open().ReadAt(buf, max(0, n.Size()-4000))
			}
		}
	})
}
