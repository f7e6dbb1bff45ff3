package tar

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

func TestArchive(t *testing.T) {
	t.Parallel()
	files := []File{{Name: "b.ovf", Content: blob.String("<xml/>")}, {Name: "a.mf", Content: blob.String("")}, {Name: "disk.raw", Content: blob.Zeros(9<<30 + 1)}, {Name: "end", Content: blob.String(strings.Repeat("x", 512))}}
	im, err := Archive(files, Options{Epoch: time.Unix(1700000000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "x.tar")
	if err := blob.WriteFile(t.Context(), file, im, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, judge := range []string{"tar", "bsdtar"} {
		oracle.Need(t, judge)
		if got := oracle.Run(t, judge, "-tf", file); got != "b.ovf\na.mf\ndisk.raw\nend\n" {
			t.Errorf("%s lists %q", judge, got)
		}
		if got := oracle.Run(t, judge, "-xOf", file, "end"); got != strings.Repeat("x", 512) {
			t.Errorf("%s reads %q", judge, got)
		}
		if got := oracle.Run(t, judge, "-tvf", file); !strings.Contains(got, "9663676417") {
			t.Errorf("%s: %s", judge, got)
		}
	}
	back, err := ReadBlob(im, ReadOptions{})
	if err != nil || back.Get("disk.raw").Size() != 9<<30+1 {
		t.Error(err)
	}
	if _, err := Archive([]File{{Name: strings.Repeat("n", 300), Content: blob.String("")}}, Options{}); err == nil {
		t.Error("a name of 300 bytes")
	}
}
