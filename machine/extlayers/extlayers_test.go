package extlayers_test

import (
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/extlayers"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	l := extlayers.List{Layers: []extlayers.Layer{
		{Image: "000.hello.sqsh", Metadata: extlayers.Metadata{
			Name: "hello", Version: "1.2.3", Author: "somebody", Description: "Says\nhello.\n",
			Compatibility: extlayers.Compatibility{Talos: extlayers.Talos{Version: ">= v1.9.0"}},
		}},
		{Image: "001.b.sqsh", Metadata: extlayers.Metadata{Name: "b", Version: "1.0"}},
	}}
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `layers:
- image: 000.hello.sqsh
  metadata:
    name: hello
    version: 1.2.3
    author: somebody
    description: |
      Says
      hello.
    compatibility:
      talos:
        version: '>= v1.9.0'
- image: 001.b.sqsh
  metadata:
    name: b
    version: '1.0'
`
	if string(text) != want {
		t.Errorf("%s", text)
	}
	back, err := extlayers.Parse("x", text)
	if err != nil || len(back.Layers) != 2 || back.Layers[0] != l.Layers[0] || back.Layers[1] != l.Layers[1] {
		t.Errorf("%+v, %v", back, err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"layers: [{image: a/b.sqsh}]":                                      "layers[0].image",
		"layers: [{image: ..}]":                                            "no file of its own",
		"layers: [{image: ''}]":                                            "no file of its own",
		"layers: [{image: a.sqsh}, {image: a.sqsh}]":                       "layers[1].image",
		"layers: [{image: a.sqsh, metadata: {name: x, weight: 7}}]":        "weight",
		"layers: {image: a.sqsh}":                                          "layers",
		"layers: [{image: a.sqsh}]\n---\nlayers: [{image: b.sqsh}]\n# two": "document",
	} {
		_, err := extlayers.Parse("list", []byte(text))
		reporttest.Want(t, err, report.Invalid, says)
	}
}

func TestImageName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		i    int
		name string
		want string
	}{
		{0, "hello", "000.hello.sqsh"}, {12, "../éa", "012.----a.sqsh"}, {1234, "", "1234..sqsh"},
		{7, "0123456789012345678901234567890123456789x", "007.0123456789012345678901234567890123456789.sqsh"},
	} {
		if got := extlayers.ImageName(c.i, c.name); got != c.want {
			t.Errorf("%q: %s", c.name, got)
		}
	}
}
