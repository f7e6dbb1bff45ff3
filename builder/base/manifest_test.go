package base

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

func sampleManifest() Manifest {
	return Manifest{
		SchemaVersion: SchemaVersion, Name: "debian-cloud", Version: "12.12-20261116", Arch: "amd64", Flavour: "cloud",
		KernelVersion: "6.1.0-1-cloud-amd64", Epoch: 1794824260,
		Parts: []Part{{Kernel, 14186432, blob.SumBytes([]byte("kernel")), PartMediaType}, {Root, 52136978, blob.SumBytes([]byte("root")), PartMediaType}},
		Packages: []Package{
			{Name: "libc6", Version: "2.36-9", Arch: "amd64", SHA256: strings.Repeat("a", 64), Size: 10, Source: "glibc", SourceVersion: "2.36-9", Copyright: "usr/share/doc/libc6/copyright"},
			{Name: "runc", Version: "1.1.5", Arch: "amd64", SHA256: strings.Repeat("b", 64), Size: 20, Source: "runc", SourceVersion: "1.1.5", Licenses: []string{"Apache-2.0", "MIT"}, Copyright: "usr/share/doc/runc/copyright"},
		},
		Tools:   []Tool{{"squashfs-tools", "1:4.5.1-1"}},
		Modules: 948,
		LeftOut: []LeftOut{{"audio", "machines without listeners", 286, 29674700}},
	}
}

var update = flag.Bool("update", false, "write the golden files")

func TestManifestText(t *testing.T) {
	t.Parallel()
	m := sampleManifest()
	var b bytes.Buffer
	if err := m.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/manifest.txt"
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the text is now\n%s\n-update accepts it", b.String())
	}
}

func TestParseManifest(t *testing.T) {
	t.Parallel()
	want := sampleManifest()
	p, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseManifest(p)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if part, ok := got.Part(Root); !ok || part.Size != 52136978 {
		t.Errorf("the part %s is %+v", Root, part)
	}
	if _, ok := got.Part("other"); ok {
		t.Error("there is a part that is not there")
	}
	for name, test := range map[string]struct {
		text string
		kind report.Kind
	}{
		"no JSON":       {"{", report.Invalid},
		"empty":         {"", report.Invalid},
		"a wrong type":  {`{"schemaVersion":1,"parts":"x"}`, report.Invalid},
		"newer":         {`{"schemaVersion":2}`, report.Unsupported},
		"something":     {`{"architecture":"amd64","rootfs":{}}`, report.Unsupported},
		"no digest":     {`{"schemaVersion":1,"parts":[{"title":"a","size":1}]}`, report.Invalid},
		"no title":      {`{"schemaVersion":1,"parts":[{"digest":"` + string(blob.SumBytes(nil)) + `"}]}`, report.Invalid},
		"negative size": {`{"schemaVersion":1,"parts":[{"title":"a","size":-1,"digest":"` + string(blob.SumBytes(nil)) + `"}]}`, report.Invalid},
	} {
		if _, err := ParseManifest([]byte(test.text)); report.KindOf(err) != test.kind {
			t.Errorf("%s: error of kind %v: %v, want %v", name, report.KindOf(err), err, test.kind)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	p, err := json.Marshal(sampleManifest())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		if m, err := ParseManifest(p); err == nil {
			if err := m.WriteText(&bytes.Buffer{}); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestOSRelease(t *testing.T) {
	t.Parallel()
	m := sampleManifest()
	for _, line := range []string{"ID=bootwright\n", "VERSION_ID=12.12-20261116\n", `PRETTY_NAME="bootwright debian-cloud 12.12-20261116 (amd64)"`} {
		if !strings.Contains(m.OSRelease(), line) {
			t.Errorf("os-release lacks %q:\n%s", line, m.OSRelease())
		}
	}
}
