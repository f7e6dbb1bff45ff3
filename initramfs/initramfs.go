// Package initramfs composes the archive that the kernel unpacks before it runs /init: base, init, system extensions and
// documents, as one Blob of concatenated newc archives (Linux Documentation/driver-api/early-userspace/buffer-format.rst).
//
// Each piece is compressed by itself and kept, so that changing one costs that one. The pieces, in order:
//
//	microcode plain  /kernel/x86/microcode, an archive a vendor, where an extension brings some: the kernel's early loader
//	                 looks no further than the first archive that is compressed (Documentation/arch/x86/microcode.rst)
//	early     zstd   the modules that mount the root image (/usr/lib/modules)
//	init      zstd   /init
//	root      plain  /rootfs.sqsh, the base's root image, which is compressed already and referred to, not copied
//	layers    plain  /000.NAME.sqsh and so on, images of system extensions to be laid over the root, an archive each
//	extensions plain /extensions.yaml (machine/extlayers), where there are layers, and firmware for what is built into the
//	                 kernel (/lib/firmware)
//	release   plain  /etc/bootwright-release, what this image is
//	documents plain  /usr/local/etc/talos/config.yaml, machine configurations (machine/configarea), where there are any
//
// A plain piece starts at a multiple of 4 bytes: the kernel drops everything behind one that does not.
package initramfs

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/release"
)

// Spooler keeps content whose length is unknown until it is made: the same key always means the same bytes.
type Spooler interface {
	Spool(ctx context.Context, key string, make func(ctx context.Context, w io.Writer) error) (blob.Blob, error)
}

// Piece is an input with the digest that names it.
type Piece struct {
	Blob   blob.Blob
	Digest blob.Digest
}

// Parts are what an initramfs is made of.
type Parts struct {
	Early   Piece // a newc archive
	Init    Piece // a static ELF executable
	Root    Piece // a squashfs image
	Release release.Release

	Extensions *Extensions // nil for none
	Documents  blob.Blob   // an area of machine configurations; nil for none
}

// Encoder names what compresses the pieces; the same inputs and the same Encoder give the same bytes.
const Encoder = "zstd " + zstd.Version

// Compose returns the archive. It compresses what spool does not hold yet and reads nothing else.
func Compose(ctx context.Context, p Parts, spool Spooler) (*blob.Image, error) {
	early, err := compressed(ctx, spool, PieceEarly, p.Early.Digest, p.Early.Blob)
	if err != nil {
		return nil, err
	}
	init, err := initArchive(ctx, p.Init, spool)
	if err != nil {
		return nil, err
	}
	root, err := archive("rootfs.sqsh", 0o444, p.Root.Blob)
	if err != nil {
		return nil, err
	}
	about, err := archive(release.Path, 0o444, blob.Bytes(p.Release.Bytes()))
	if err != nil {
		return nil, err
	}
	pieces, err := p.Extensions.microcode()
	if err != nil {
		return nil, err
	}
	layers, err := p.Extensions.pieces()
	if err != nil {
		return nil, err
	}
	pieces = append(pieces, piece{PieceEarly, early, 0, 0}, piece{PieceInit, init, 0, 0}, piece{"root", root, contentAt(root, p.Root.Blob), page})
	pieces = append(append(pieces, layers...), piece{"release", about, 0, 0})
	if p.Documents != nil {
		documents, err := archive(configarea.EmbeddedPath, 0o400, p.Documents)
		if err != nil {
			return nil, err
		}
		pieces = append(pieces, piece{"documents", documents, 0, 0})
	}
	return concat(pieces...), nil
}

// The compressed pieces, by the names that Key takes.
const (
	PieceEarly = "early"
	PieceInit  = "init"
)

// Key is what a Spooler is asked for: the compressed piece called name of the input that d names.
func Key(name string, d blob.Digest) string {
	return fmt.Sprintf("initramfs/%s %s %s", name, d, Encoder)
}

// initArchive is the compressed archive of /init, kept by the digest of the executable.
func initArchive(ctx context.Context, init Piece, spool Spooler) (blob.Blob, error) {
	a, err := archive("init", 0o755, init.Blob)
	if err != nil {
		return nil, err
	}
	return compressed(ctx, spool, PieceInit, init.Digest, a)
}

func archive(path string, mode fs.FileMode, content blob.Blob) (*blob.Image, error) {
	var t tree.Tree
	t.File(path, mode, content)
	return cpio.Format(&t, cpio.Options{})
}

// compressed is the archive b as zstd frames, made once for what d names.
func compressed(ctx context.Context, spool Spooler, name string, d blob.Digest, b blob.Blob) (blob.Blob, error) {
	z, err := spool.Spool(ctx, Key(name, d), func(ctx context.Context, w io.Writer) error {
		starts, err := cpio.RecordStarts(b) // the kernel refuses a frame that starts elsewhere
		if err != nil {
			return err
		}
		return zstd.Compress(ctx, w, b, zstd.Options{Level: level, Cuts: starts})
	})
	if err != nil {
		return nil, fmt.Errorf("compress the initramfs' %s: %w", name, err)
	}
	return z, nil
}

// level costs a second for a new init or base and nothing afterwards; higher ones save a hundredth of the image.
const level = 9

// piece is an archive of the initramfs. content, if not 0, is the offset in it of what should lie at a multiple of align: on
// a page of its own, so that a file system can share those blocks between what was read and the image.
type piece struct {
	name           string
	archive        blob.Blob
	content, align int64
}

// contentAt is where content lies in an archive of it alone; an empty content lies nowhere in particular.
func contentAt(archive, content blob.Blob) int64 {
	at, _ := blob.Locate(archive, content)
	return at
}

const page = 4096

func concat(pieces ...piece) *blob.Image {
	var out []blob.Extent
	var size int64
	for _, p := range pieces {
		start := blob.Align(size, 4)
		if p.content > 0 {
			start = blob.Align(size+p.content, p.align) - p.content
		}
		out = append(out, blob.Part("padding", blob.Zeros(start-size)), blob.Part(p.name, p.archive))
		size = start + p.archive.Size()
	}
	return blob.Concat(append(out, blob.Padding(size, 4))...)
}
