// Package diskimage puts a raw disk into the format that its platform takes, and what the plan asks for around that. Formats
// that do not compress refer to the disk, so that several of one plan share its bytes; what has to be compressed is made once
// and kept.
package diskimage

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gzip"
	"github.com/bootwright/bootwright/formats/ovf"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/vhd"
	"github.com/bootwright/bootwright/formats/vhdx"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/formats/xz"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

// Spec says what disk it is and what to make of it.
type Spec struct {
	Raw     *blob.Image
	Name    string // of the disk, without a suffix, such as metal-amd64
	Version string // and Arch, of the system on it
	Arch    string
	UEFI    bool // starts on UEFI only
	Sector  int  // bytes
	Epoch   time.Time
	ID      func(name string) [16]byte // identifiers by name, the same for all formats of the disk

	// Made keeps what encoder makes of the disk, so that it is made once. Packed does so for what is put around it.
	Made, Packed func(encoder string, make Maker) (blob.Blob, error)
}

// Maker writes what has to be computed.
type Maker func(ctx context.Context, w io.Writer) error

// Format is the disk in a format of profiles.DiskFormats. Of a flat vmdk it is the descriptor, which wants the raw disk in the file
// Extent.
func Format(ctx context.Context, s Spec, format string, o profiles.DiskOptions) (blob.Blob, error) {
	switch format {
	case "raw":
		return s.Raw, nil
	case "qcow2":
		return qcow2.Format(s.Raw, qcow2.Options{ClusterSize: o.ClusterSize})
	case "vhd":
		return vhd.Format(s.Raw, vhd.Options{ID: s.ID("vhd"), Epoch: s.Epoch})
	case "vhdx":
		return vhdx.Format(s.Raw, vhdx.Options{ID: s.ID("vhdx"), SectorSize: s.Sector})
	case "vmdk":
		if o.Flat {
			return vmdk.Flat(s.Raw.Size(), Extent(s), s.vmdkOptions())
		}
		return s.vmdk()
	case "ova":
		return s.ova(ctx)
	}
	return nil, report.Errorf(report.Unsupported, "unknown disk format %q", format)
}

// Extent is the name of the file with the disk of a flat vmdk.
func Extent(s Spec) string { return s.Name + "-flat.vmdk" }

func (s Spec) vmdk() (blob.Blob, error) {
	return s.Made(vmdk.Encoder, func(ctx context.Context, w io.Writer) error {
		return vmdk.Stream(ctx, w, s.Raw, s.vmdkOptions())
	})
}

func (s Spec) vmdkOptions() vmdk.Options {
	id := s.ID("vmdk")
	return vmdk.Options{ID: binary.LittleEndian.Uint32(id[:]) >> 1}
}

// ova is the vmdk with its description.
func (s Spec) ova(ctx context.Context) (blob.Blob, error) {
	stream, err := s.vmdk()
	if err != nil {
		return nil, err
	}
	digest, err := blob.Sum(ctx, stream)
	if err != nil {
		return nil, err
	}
	description, err := ovf.Descriptor(ovf.Machine{
		Name: s.Name, Version: s.Version, Arch: s.Arch, UEFI: s.UEFI,
		Capacity: s.Raw.Size(), DiskSize: stream.Size(), DiskFile: s.Name + ".vmdk",
	})
	if err != nil {
		return nil, err
	}
	sum, err := blob.Sum(ctx, description)
	if err != nil {
		return nil, err
	}
	manifest := ovf.Manifest(ovf.File{Name: s.Name + ".ovf", Digest: sum}, ovf.File{Name: s.Name + ".vmdk", Digest: digest})
	return tar.Archive([]tar.File{{Name: s.Name + ".ovf", Content: description}, {Name: s.Name + ".mf", Content: manifest}, {Name: s.Name + ".vmdk", Content: stream}},
		tar.Options{Epoch: s.Epoch})
}

// Pack puts around an image what out, one of profiles.OutFormats, asks for.
func Pack(s Spec, image blob.Blob, out string) (blob.Blob, error) {
	gzipped := func(b blob.Blob) (blob.Blob, error) {
		return s.Packed(gzip.Version, func(ctx context.Context, w io.Writer) error { return gzip.Compress(ctx, w, b, 0) })
	}
	switch out {
	case "raw":
		return image, nil
	case ".zst":
		return s.Packed(zstd.Version, func(ctx context.Context, w io.Writer) error { return zstd.Compress(ctx, w, image, zstd.Options{}) })
	case ".gz":
		return gzipped(image)
	case ".xz":
		return s.Packed(xz.Version, func(ctx context.Context, w io.Writer) error { return xz.Compress(ctx, w, image) })
	case ".tar.gz":
		archive, err := tar.Archive([]tar.File{{Name: "disk.raw", Content: image}}, tar.Options{Epoch: s.Epoch})
		if err != nil {
			return nil, err
		}
		return gzipped(archive)
	}
	return nil, report.Errorf(report.Unsupported, "unknown output format %q", out)
}

// Name is that of the disk's file, and its media type.
func Name(s Spec, format, out string) (name, mediaType string) {
	last := "." + format
	name = s.Name + last
	if out != "raw" {
		last = out
		name += out
	}
	return name, map[string]string{
		".raw": "application/octet-stream", ".qcow2": "application/x-qemu-disk", ".vhd": "application/x-vhd", ".vhdx": "application/x-vhdx",
		".vmdk": "application/x-vmdk", ".ova": "application/x-virtualbox-ova",
		".zst": "application/zstd", ".gz": "application/gzip", ".tar.gz": "application/gzip", ".xz": "application/x-xz",
	}[last]
}
