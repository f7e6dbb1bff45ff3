package writecmd

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"math"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/vhdx"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/formats/xz"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/report"
)

// source is the disk that a file holds.
type source struct {
	what   string // what was found around it, for people; empty for nothing
	size   int64  // bytes of the disk
	sector int    // bytes, that its partition table is for; 0 where it has none
	file   *blob.File
	disk   blob.Blob // nil for what has to be unpacked in order

	isPacked bool // the disk is unpacked where it is read
}

// openSource finds out what the file at path is, and unpacks what is compressed once, to know its size and that it is whole before
// anything is overwritten. Step is told of the bytes.
func openSource(ctx context.Context, path string, step func(int64)) (s *source, err error) {
	f, err := blob.OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			err = report.WithHint(report.Errorf(report.KindOf(err), "%s: %w", path, err), "%s", report.HintOf(err))
		}
	}()
	s = &source{file: f}
	if err := s.recognize(ctx); err != nil {
		return nil, err
	}
	r, err := s.open()
	if err != nil {
		return nil, err
	}
	head := make([]byte, 8192)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, invalid(err)
	}
	for _, sector := range []int{512, 4096} {
		if bytes.HasPrefix(head[sector:], []byte("EFI PART")) {
			s.sector = sector
		}
	}
	if s.disk != nil {
		s.size = s.disk.Size()
		if s.isPacked {
			return s, s.unpack(ctx, step)
		}
		return s, nil
	}
	rest, err := io.CopyBuffer(tell{step}, reading{ctx, r}, make([]byte, piece))
	s.size = int64(n) + rest
	return s, invalid(err)
}

// footerSize is that of a fixed VHD, behind the disk.
const footerSize = 512

// recognize looks at the first bytes, and for a VHD at the last.
func (s *source) recognize(ctx context.Context) (err error) {
	n := s.file.Size()
	head := make([]byte, min(n, headSize))
	if err := blob.ReadFull(s.file, head, 0); err != nil {
		return err
	}
	switch s.what = formatOf(head); {
	case s.what == "description":
		return report.WithHint(report.Errorf(report.Unsupported, "the description of a VMDK, without the disk"), "give the -flat.vmdk file beside it instead")
	case n < 2*footerSize:
		return report.Errorf(report.Invalid, "%d bytes are no disk", n)
	}
	switch s.what {
	case "qcow2":
		s.disk, err = qcow2.Read(s.file)
	case "vhdx":
		s.disk, err = vhdx.Read(s.file)
	case "vmdk":
		s.isPacked = true
		s.disk, err = vmdk.Read(s.file)
	case "ova":
		s.isPacked = true
		s.disk, err = readOVA(ctx, s.file)
	case "":
		foot := make([]byte, 8)
		if err := blob.ReadFull(s.file, foot, n-footerSize); err != nil {
			return err
		}
		if s.disk = s.file; string(foot) == "conectix" {
			s.what, s.disk = "vhd", blob.Slice(s.file, 0, n-footerSize)
		}
	}
	return err
}

const headSize = 512 // bytes that tell what a file is

// formatOf is what a file is that begins with head; "" for a disk as it is.
func formatOf(head []byte) string {
	for _, f := range []struct{ name, magic string }{
		{"zstd", "\x28\xb5\x2f\xfd"}, {"gzip", "\x1f\x8b"}, {"xz", "\xfd7zXZ\x00"},
		{"qcow2", "QFI\xfb"}, {"vhdx", "vhdxfile"}, {"vmdk", "KDMV"}, {"description", "# Disk DescriptorFile"},
	} {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return f.name
		}
	}
	if len(head) == headSize && string(head[257:262]) == "ustar" {
		return "ova"
	}
	return ""
}

// unpack reads once what the disk is known to hold.
func (s *source) unpack(ctx context.Context, step func(int64)) error {
	buf := make([]byte, piece)
	for _, e := range blob.Map(s.disk) {
		if _, err := io.CopyBuffer(tell{step}, reading{ctx, blob.Reader(e.Blob)}, buf); err != nil {
			return invalid(err)
		}
	}
	return nil
}

// open is the disk in order.
func (s *source) open() (io.Reader, error) {
	if s.disk != nil {
		return blob.Reader(s.disk), nil
	}
	var r io.Reader
	var err error
	switch in := blob.Reader(s.file); s.what {
	case "zstd":
		r, err = zstd.NewReader(in, math.MaxInt64)
	case "xz":
		r, err = xz.NewReader(in)
	default:
		r, err = gzip.NewReader(in)
	}
	if err != nil {
		return nil, invalid(err)
	}
	return unwrap(r)
}

// unwrap is disk.raw of a tar archive, as clouds take it, or a disk as it is.
func unwrap(r io.Reader) (io.Reader, error) {
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, invalid(err)
	}
	r = io.MultiReader(bytes.NewReader(head[:n]), r)
	switch what := formatOf(head[:n]); what {
	case "":
		return r, nil
	case "ova":
	default:
		return nil, report.Errorf(report.Unsupported, "a %s in another file, where it cannot be read out of order; unpack that first", what)
	}
	t := tar.NewReader(r)
	switch h, err := t.Next(); {
	case err != nil:
		return nil, invalid(err)
	case h.Name != "disk.raw":
		return nil, report.Errorf(report.Invalid, "an archive that begins with %.100q, and not with disk.raw", h.Name)
	}
	return t, nil
}

// invalid is err as that of what was given.
func invalid(err error) error {
	if err == nil || report.KindOf(err) != report.Internal || errors.Is(err, context.Canceled) {
		return err
	}
	return report.Errorf(report.Invalid, "%w", err)
}

// tell is a writer that only counts.
type tell struct{ step func(int64) }

func (t tell) Write(p []byte) (int, error) {
	t.step(int64(len(p)))
	return len(p), nil
}

// reading is a reader that ends when ctx does.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
