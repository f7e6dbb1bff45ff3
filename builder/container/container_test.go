package container_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/container"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/qcow2"
	"github.com/bootwright/bootwright/internal/oracle"
)

var epoch = time.Unix(1700000000, 0)

// containerDisk is one with a sparse disk, and that disk.
func containerDisk(t testing.TB) (oci.Image, blob.Blob) {
	t.Helper()
	disk, err := blob.NewImage(3<<30, blob.Extent{Name: "a", Blob: blob.String("boot")}, blob.Extent{Name: "b", Offset: 2 << 30, Blob: blob.String("end")})
	if err != nil {
		t.Fatal(err)
	}
	image, err := qcow2.Format(disk, qcow2.Options{})
	if err != nil {
		t.Fatal(err)
	}
	im, err := container.Disk(t.Context(), "amd64", "v1", epoch, image)
	if err != nil {
		t.Fatal(err)
	}
	return im, disk
}

// TestDisk has skopeo read a containerDisk, umoci and bsdtar unpack it, and qemu-img look at the disk inside.
func TestDisk(t *testing.T) {
	for _, tool := range []string{"skopeo", "umoci", "bsdtar", "qemu-img"} {
		oracle.Need(t, tool)
	}
	im, disk := containerDisk(t)
	archive, err := container.Archive([]oci.Image{im}, "v1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	if archive.Size() > 1<<20 {
		t.Errorf("%d bytes", archive.Size())
	}
	file, raw := oracle.File(t, archive), filepath.Join(t.TempDir(), "raw")
	if err := blob.WriteFile(t.Context(), raw, disk, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	layout, bundle := filepath.Join(t.TempDir(), "layout"), filepath.Join(t.TempDir(), "bundle")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "oci-archive:"+file+":v1", "oci:"+layout+":v1")
	oracle.Run(t, "umoci", "unpack", "--rootless", "--image", layout+":v1", bundle)
	inside := filepath.Join(bundle, "rootfs", "disk", "disk.qcow2")
	if out := oracle.Run(t, "qemu-img", "info", inside); !strings.Contains(out, "file format: qcow2") || !strings.Contains(out, "3 GiB") {
		t.Error(out)
	}
	oracle.Run(t, "qemu-img", "check", "-f", "qcow2", inside)
	oracle.Run(t, "qemu-img", "compare", "-f", "qcow2", "-F", "raw", inside, raw)
	layer := oracle.File(t, im.Files[0].Content)
	want := fmt.Sprintf("dr-xr-xr-x  0 107    107         0 Jan  1  1970 disk/\n-r--r-----  0 107    107    %d Jan  1  1970 disk/disk.qcow2\n", im.Files[0].Content.Size()-2048)
	if got := oracle.Run(t, "bsdtar", "--numeric-owner", "-tvf", layer); got != want {
		t.Errorf("%s, want\n%s", got, want)
	}
	again, _ := containerDisk(t)
	if string(again.Config) != string(im.Config) || again.Files[0].Digest != im.Files[0].Digest {
		t.Error("the same disk has another digest")
	}
}
