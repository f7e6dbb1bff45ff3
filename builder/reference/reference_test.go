package reference_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

func TestParse(t *testing.T) {
	t.Parallel()
	d := blob.SumBytes([]byte("x"))
	at := "@" + string(d)
	for _, c := range []struct {
		in   string
		want reference.Reference
		out  string // where it is not in
	}{
		{in: "oci:_out/base", want: reference.Reference{Scheme: reference.Layout, Name: "_out/base"}},
		{in: "oci:/srv/base:v1.2", want: reference.Reference{Scheme: reference.Layout, Name: "/srv/base", Tag: "v1.2"}},
		{in: "oci:base:v1" + at, want: reference.Reference{Scheme: reference.Layout, Name: "base", Tag: "v1", Digest: d}},
		{in: "oci:base" + at, want: reference.Reference{Scheme: reference.Layout, Name: "base", Digest: d}},
		{in: "oci:a:b/c", want: reference.Reference{Scheme: reference.Layout, Name: "a:b/c"}},
		{in: "oci:a:b/", want: reference.Reference{Scheme: reference.Layout, Name: "a:b/"}},
		{in: "oci:user@host/x", want: reference.Reference{Scheme: reference.Layout, Name: "user@host/x"}},
		{in: "oci:docker://x.y/z", want: reference.Reference{Scheme: reference.Layout, Name: "docker://x.y/z"}},
		{in: "tar:image.tar:latest", want: reference.Reference{Scheme: reference.Archive, Name: "image.tar", Tag: "latest"}},
		{in: "dir:parts", want: reference.Reference{Scheme: reference.Folder, Name: "parts"}},
		{in: "dir:a:b" + at, want: reference.Reference{Scheme: reference.Folder, Name: "a:b", Digest: d}},
		{in: "ghcr.io/org/base", want: reference.Reference{Scheme: reference.Registry, Name: "ghcr.io/org/base"}},
		{in: "ghcr.io/org/base:v1" + at, want: reference.Reference{Scheme: reference.Registry, Name: "ghcr.io/org/base", Tag: "v1", Digest: d}},
		{in: "localhost/base:v1", want: reference.Reference{Scheme: reference.Registry, Name: "localhost/base", Tag: "v1"}},
		{in: "localhost:5000/base", want: reference.Reference{Scheme: reference.Registry, Name: "localhost:5000/base"}},
		{in: "[::1]:5000/base", want: reference.Reference{Scheme: reference.Registry, Name: "[::1]:5000/base"}},
		{in: "docker://ghcr.io/org/base", want: reference.Reference{Scheme: reference.Registry, Name: "ghcr.io/org/base"}, out: "ghcr.io/org/base"},
		{in: "http://10.0.0.1:5000/base:v1", want: reference.Reference{Scheme: reference.PlainHTTP, Name: "10.0.0.1:5000/base", Tag: "v1"}},
	} {
		got, err := reference.Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
			continue
		}
		if c.out == "" {
			c.out = c.in
		}
		if got.String() != c.out {
			t.Errorf("Parse(%q).String() = %q, want %q", c.in, got, c.out)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                    "names nothing",
		"oci:":                                "names nothing",
		"oci:dir:":                            `"" is not a tag`,
		"oci:dir:a b":                         "is not a tag",
		"oci:dir:" + strings.Repeat("x", 129): "is not a tag",
		"oci:dir:-v":                          "is not a tag",
		"oci:dir@sha256:12":                   "is not a digest",
		"oci:a\x00b":                          "names nothing",
		"base":                                "does not begin with a registry's host",
		"org/base:v1":                         "does not begin with a registry's host",
		"./base":                              "registry",
		"/srv/base":                           "does not begin with a registry's host",
		"docker://base":                       "does not begin with a registry's host",
		"ghcr.io":                             "ghcr.io",
		"ghcr.io/":                            "ghcr.io/",
		"ghcr.io/UPPER":                       "UPPER",
		"ghcr.io/a/../../v1/x":                "leaves the tree",
		"ghcr.io/a//b":                        "not clean",
		"ghcr.io/base@sha512:00":              "ghcr.io/base@sha512:00",
		"https://ghcr.io/base":                "https",
		"ghcr.io/base?x=1":                    "base?x=1",
	} {
		_, err := reference.Parse(in)
		reporttest.Want(t, err, report.Invalid, want)
	}
}

func TestPathWithoutScheme(t *testing.T) {
	t.Parallel()
	layout, folder := t.TempDir(), t.TempDir()
	must(t, os.WriteFile(filepath.Join(layout, "index.json"), []byte("{}"), 0o644))
	file := filepath.Join(folder, "image.tar")
	must(t, os.WriteFile(file, nil, 0o644))
	for path, want := range map[string]string{layout: "oci:" + layout, folder: "dir:" + folder, file: "tar:" + file} {
		_, err := reference.Parse(path)
		reporttest.Want(t, err, report.Invalid, path)
		if got := report.HintOf(err); !strings.Contains(got, "did you mean "+want+"?") {
			t.Errorf("hint %q, want %q", got, want)
		}
	}
}

func TestReferencesInDocuments(t *testing.T) {
	t.Parallel()
	d := blob.SumBytes([]byte("x"))
	var doc struct {
		Base reference.Locked
		From reference.Reference
	}
	in := `{"Base":"oci:base:v1@` + string(d) + `","From":"ghcr.io/base"}`
	must(t, json.Unmarshal([]byte(in), &doc))
	if doc.Base.Digest != d || doc.From.Scheme != reference.Registry {
		t.Errorf("read as %+v", doc)
	}
	if out, err := json.Marshal(doc); err != nil || string(out) != in {
		t.Errorf("written as %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Base":"oci:base:v1"}`), &doc); err == nil || !strings.Contains(err.Error(), "not locked") {
		t.Errorf("a Locked without digest: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "oci:a:b", "tar:x@sha256:", "dir:a@sha256:" + strings.Repeat("0", 64), "docker://a.b/c", "http://a.b:1/c:d", "oci:a:b/", "a.b/c@d:e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := reference.Parse(s)
		if err != nil {
			return
		}
		if again, err := reference.Parse(r.String()); err != nil || again != r {
			t.Errorf("%q is %+v, and its String %q is %+v, %v", s, r, r, again, err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
