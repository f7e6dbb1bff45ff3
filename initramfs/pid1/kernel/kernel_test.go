package kernel

import (
	"maps"
	"testing"
)

func TestParseUevent(t *testing.T) {
	got := ParseUevent([]byte("add@/devices/x\x00ACTION=add\x00DEVPATH=/devices/x\x00MODALIAS=a=b\x00broken\x00"))
	want := Uevent{"ACTION": "add", "DEVPATH": "/devices/x", "MODALIAS": "a=b"}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func FuzzParseUevent(f *testing.F) {
	f.Add([]byte("add@/x\x00ACTION=add\x00"))
	f.Fuzz(func(t *testing.T, p []byte) { ParseUevent(p) })
}
