package writecmd

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/ovf"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/internal/report"
)

// machine is what an OVA of a disk holds: the description, the manifest and the disk.
func machine(t testing.TB, disk blob.Blob) []tar.File {
	t.Helper()
	sum, err := blob.Sum(t.Context(), disk)
	if err != nil {
		t.Fatal(err)
	}
	return []tar.File{
		{Name: "x.ovf", Content: blob.String("<Envelope/>")},
		{Name: "x.mf", Content: ovf.Manifest(ovf.File{Name: "x.ovf", Digest: blob.SumBytes(nil)}, ovf.File{Name: "x.vmdk", Digest: sum})},
		{Name: "x.vmdk", Content: disk},
	}
}

func archive(t testing.TB, files ...tar.File) blob.Blob {
	t.Helper()
	return must(t)(tar.Archive(files, tar.Options{}))
}

// TestOVA: one disk is taken, and only as the manifest has it.
func TestOVA(t *testing.T) {
	t.Parallel()
	im := must(t)(blob.NewImage(4096, blob.Extent{Name: "a", Blob: blob.String("bootwright")})) // less than what is looked at for a partition table
	disk := stream(t, im)
	files := machine(t, disk)
	spoiled := must(t)(blob.Overlay(disk, blob.Extent{Name: "grain", Offset: 64<<10 + 30, Blob: blob.String("x")}))
	sum := func(line string) tar.File { return tar.File{Name: "x.mf", Content: blob.String(line)} }
	for name, c := range map[string]struct {
		files []tar.File
		want  string // of the error; "" for none
		kind  report.Kind
	}{
		"whole":             {files, "", 0},
		"no manifest":       {files[2:], "", 0},
		"other digests":     {[]tar.File{files[2], sum("SHA1(x.vmdk)= 00\n")}, "", 0},
		"another's digest":  {[]tar.File{files[2], sum("SHA256(y.vmdk)= 00\n")}, "", 0},
		"a wrong digest":    {[]tar.File{files[2], sum("SHA256(x.vmdk)= 00\n")}, "x.vmdk differs from what the manifest says", report.Invalid},
		"a damaged disk":    {[]tar.File{files[1], {Name: "x.vmdk", Content: spoiled}}, "x.vmdk differs", report.Invalid},
		"damaged and alone": {[]tar.File{{Name: "x.vmdk", Content: spoiled}}, "grain 0, at byte 65536", report.Invalid},
		"no disk":           {files[:2], "an archive with 0 VMDKs", report.Unsupported},
		"two disks":         {append(files, tar.File{Name: "y.vmdk", Content: disk}), "an archive with 2 VMDKs", report.Unsupported},
	} {
		src, err := openSource(t.Context(), save(t, "x.ova", archive(t, c.files...)), func(int64) {})
		if err == nil {
			src.file.Close()
		}
		if c.want == "" {
			if err != nil || src.size != im.Size() || src.what != "ova" {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v (%v)", name, err, report.KindOf(err))
		}
	}
}
