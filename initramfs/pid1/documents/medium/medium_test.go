package medium

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

// images are file systems labelled cidata.
func images(t testing.TB) map[string]string {
	t.Helper()
	files := &tree.Tree{}
	files.File("user-data", 0o644, blob.String("a: b\n"))
	iso, err := iso9660.Format(files, iso9660.Options{VolumeID: "cidata"})
	if err != nil {
		t.Fatal(err)
	}
	vfat, err := fat.Format(files, fat.Options{Label: "CIDATA", Size: 3 << 20})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, b := range map[string]blob.Blob{"iso": iso, "fat": vfat} {
		p, err := blob.ReadAll(b, 4<<20)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = string(p)
	}
	return out
}

// TestOpen: the label counts, in letters of either case, and what is on other devices does not matter.
func TestOpen(t *testing.T) {
	t.Parallel()
	for name, p := range images(t) {
		m := fake.New(t, map[string]string{
			"sys/class/block/loop0/size": "8\n", "dev/loop0": p, "sys/class/block/sr0/size": "0\n", "dev/sr0": "",
			"sys/class/block/vda/size": strconv.Itoa(len(p)/512) + "\n", "dev/vda": strings.Repeat("\x00", 4096),
			"sys/class/block/vdb/size": strconv.Itoa(len(p)/512) + "\n", "dev/vdb": p,
		})
		v, err := Open(m, "CiData")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if text, err := v.Read("USER-data"); v.Device != "/dev/vdb" || string(text) != "a: b\n" || err != nil {
			t.Errorf("%s: %s has %q, %v", name, v.Device, text, err)
		}
		if _, err := v.Read("meta-data"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a file that is not there: %v", name, err)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
		if _, err := Open(m, "other"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: a label that is not there: %v", name, err)
		}
	}
}

// FuzzRead: whatever a medium holds, reading it ends.
func FuzzRead(f *testing.F) {
	f.Add([]byte(images(f)["iso"]))
	f.Fuzz(func(t *testing.T, p []byte) {
		v, err := readVolume(blob.Bytes(p), "cidata")
		if v != nil && err != nil {
			t.Errorf("volume %v and error %v", v, err)
		}
		if v != nil {
			v.Read("user-data")
		}
	})
}
