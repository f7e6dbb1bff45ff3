package result

import (
	"encoding/json"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

func TestDescribe(t *testing.T) {
	im, err := blob.NewImage(1024, blob.Extent{Name: "/boot/vmlinuz", Offset: 512, Blob: blob.String("kernel")})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(Describe("a.img", im))
	want := `{"name":"a.img","size":1024,"extents":[{"offset":512,"size":6,"name":"boot/vmlinuz"}]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}
