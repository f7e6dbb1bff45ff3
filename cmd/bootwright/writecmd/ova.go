package writecmd

import (
	"context"
	"io"
	"path"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/vmdk"
	"github.com/bootwright/bootwright/internal/report"
)

// readOVA is the disk of a virtual machine in the archive b. Where the archive's manifest has a SHA-256 of it, that has to be right.
func readOVA(ctx context.Context, b blob.Blob) (blob.Blob, error) {
	files, err := tar.ReadBlob(b, tar.ReadOptions{Spool: noSpool})
	if err != nil {
		return nil, err
	}
	var disks, manifests []*tree.Node
	for _, n := range files.Nodes() {
		switch path.Ext(n.Path) {
		case ".vmdk":
			disks = append(disks, n)
		case ".mf":
			manifests = append(manifests, n)
		}
	}
	if len(disks) != 1 {
		return nil, report.WithHint(report.Errorf(report.Unsupported, "an archive with %d VMDKs", len(disks)), "unpack it, and give the file with the disk")
	}
	for _, m := range manifests {
		if err := checkManifest(ctx, m.Open(), disks[0]); err != nil {
			return nil, err
		}
	}
	return vmdk.Read(disks[0].Open())
}

// noSpool refuses sparse files, which would be unpacked into memory.
func noSpool(string, int64, io.Reader) (blob.Blob, error) {
	return nil, report.Errorf(report.Unsupported, "a sparse file")
}

// checkManifest compares file with the SHA-256 that a manifest has of it, a line "SHA256(NAME)= DIGITS" (DSP0243, 5.2).
func checkManifest(ctx context.Context, manifest blob.Blob, file *tree.Node) error {
	text, err := blob.ReadAll(manifest, 1<<20)
	if err != nil {
		return invalid(err)
	}
	for line := range strings.Lines(string(text)) {
		want, ok := strings.CutPrefix(line, "SHA256("+file.Path+")=")
		if !ok {
			continue
		}
		got, err := blob.Sum(ctx, file.Open())
		if err != nil {
			return err
		}
		if !strings.EqualFold(strings.TrimSpace(want), got.Hex()) {
			return report.Errorf(report.Invalid, "%s differs from what the manifest says: it is damaged, or was changed", file.Path)
		}
	}
	return nil
}
