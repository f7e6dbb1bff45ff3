package initramfs

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/machine/release"
)

// memory is a Spooler that counts what it made.
type memory struct {
	kept map[string]blob.Blob
	made int
}

func (m *memory) Spool(ctx context.Context, key string, write func(context.Context, io.Writer) error) (blob.Blob, error) {
	if b := m.kept[key]; b != nil {
		return b, nil
	}
	var buf bytes.Buffer
	if err := write(ctx, &buf); err != nil {
		return nil, err
	}
	m.made++
	m.kept[key] = blob.Bytes(buf.Bytes())
	return m.kept[key], nil
}

func newPiece(b blob.Blob) Piece {
	d, err := blob.Sum(context.Background(), b)
	if err != nil {
		panic(err)
	}
	return Piece{b, d}
}

func parts(t *testing.T, rootSize int) Parts {
	t.Helper()
	var early tree.Tree
	early.File("usr/lib/modules/6.1/loop.ko", 0o644, blob.String(strings.Repeat("module", 999)))
	archive, err := cpio.Format(&early, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Parts{
		Early: newPiece(archive), Init: newPiece(blob.String("\x7fELF init")), Root: newPiece(blob.String(strings.Repeat("R", rootSize))),
		Release: release.Release{Version: "v1\nEPOCH=9", Epoch: time.Unix(1234567890, 0), Base: "debian 12"},
	}
}

// unpack does what the kernel does: archive after archive, compressed or not, zeros skipped, the last file of a name wins.
func unpack(t *testing.T, b blob.Blob) map[string]string {
	t.Helper()
	files := map[string]string{}
	for off := int64(0); off < b.Size(); {
		var magic [4]byte
		if err := blob.ReadFull(b, magic[:], off); err != nil {
			t.Fatal(err)
		}
		rest := blob.Slice(b, off, b.Size()-off)
		switch {
		case magic[0] == 0:
			off++
		case string(magic[:]) == zstd.Magic:
			end, err := zstd.End(rest)
			if err != nil {
				t.Fatal(err)
			}
			r, err := zstd.NewReader(blob.Reader(blob.Slice(rest, 0, end)), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			add(t, files, blob.Bytes(p))
			off += end
		case off%4 != 0:
			t.Fatalf("a plain archive at offset %d, which the kernel drops with all that follows", off)
		default:
			off += add(t, files, rest)
		}
	}
	return files
}

func add(t *testing.T, files map[string]string, archive blob.Blob) int64 {
	t.Helper()
	tr, end, err := cpio.Read(archive)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range tr.Nodes() {
		if n.Mode.IsRegular() {
			p, err := blob.ReadAll(n.Open(), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			files[n.Path] = string(p)
		}
	}
	return end
}

func TestCompose(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 4095, 4096, 100_001} {
		p := parts(t, size)
		spool := &memory{kept: map[string]blob.Blob{}}
		im, err := Compose(t.Context(), p, spool)
		if err != nil {
			t.Fatal(err)
		}
		if im.Size()%4 != 0 {
			t.Errorf("%d bytes, which nothing plain can follow", im.Size())
		}
		if at, ok := blob.Locate(im, p.Root.Blob); size > 0 && (!ok || at%page != 0) {
			t.Errorf("the root image lies at %d (%v), not on a page of its own", at, ok)
		}
		files := unpack(t, im)
		want := map[string]string{
			"usr/lib/modules/6.1/loop.ko": strings.Repeat("module", 999), "init": "\x7fELF init", "rootfs.sqsh": strings.Repeat("R", size),
			"etc/bootwright-release": "VERSION=v1 EPOCH=9\nEPOCH=1234567890\nBASE=debian 12\n",
		}
		for name, content := range want {
			if files[name] != content {
				t.Errorf("root of %d bytes: %s is %.80q", size, name, files[name])
			}
		}
		if len(files) != len(want) {
			t.Errorf("%d files, want %d", len(files), len(want))
		}
	}
}

// TestOnePieceAtATime: another init costs the init, another release nothing.
func TestOnePieceAtATime(t *testing.T) {
	t.Parallel()
	spool := &memory{kept: map[string]blob.Blob{}}
	compose := func(p Parts, want int) {
		t.Helper()
		before := spool.made
		if _, err := Compose(t.Context(), p, spool); err != nil {
			t.Fatal(err)
		}
		if got := spool.made - before; got != want {
			t.Errorf("%d pieces were compressed, want %d", got, want)
		}
	}
	p := parts(t, 5000)
	compose(p, 2)
	p.Release.Version = "v2"
	compose(p, 0)
	p.Init = newPiece(blob.String("another init"))
	compose(p, 1)
	p.Root = newPiece(blob.String("another root"))
	compose(p, 0)
}

func TestComposeRefusesWhatIsNoArchive(t *testing.T) {
	t.Parallel()
	p := parts(t, 10)
	p.Early = newPiece(blob.String("not an archive, though long enough to hold the header of one, which has one hundred and ten bytes altogether"))
	if _, err := Compose(t.Context(), p, &memory{kept: map[string]blob.Blob{}}); err == nil {
		t.Error("an early archive that is none was compressed")
	}
}
