package release

import (
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	want := Release{Version: "v1.2.3", Epoch: time.Unix(1234567890, 0), Base: "debian 12 = bookworm"}
	if got, err := Parse(want.Bytes()); got != want || err != nil {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	// A line break in a value is no line of its own.
	sly := want
	sly.Version = "v1\nEPOCH=9\rBASE=x"
	if got, err := Parse(sly.Bytes()); got.Version != "v1 EPOCH=9 BASE=x" || got.Epoch != want.Epoch || got.Base != want.Base || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for text, wrong := range map[string]bool{"EPOCH=soon\nBASE=b\n": true, "BASE=b": false, "\nOTHER\nBASE=b\n": false} {
		if got, err := Parse([]byte(text)); got != (Release{Epoch: time.Unix(0, 0), Base: "b"}) || (err != nil) != wrong {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
