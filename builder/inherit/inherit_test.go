package inherit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/profiles"
)

func newClient(t *testing.T) *fetch.Client {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return fetch.New(s, fetch.Options{Insecure: true})
}

// resolve is the profile text as if it were in dir/top.yaml.
func resolve(t *testing.T, client *fetch.Client, dir, text string) (*profiles.Profile, error) {
	t.Helper()
	top := filepath.Join(dir, "top.yaml")
	p, err := profiles.Load(top, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return profiles.ResolveFrom(p, InFile(top), Finder(t.Context(), func() (*fetch.Client, error) {
		if client == nil {
			return nil, errors.New("no client")
		}
		return client, nil
	}))
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFiles: a file is looked for beside the profile that names it.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"lib/site.yaml":   "baseProfileName: ../common.yml\nversion: v1",
		"common.yml":      "baseProfileName: iso\ncustomization: {extraKernelArgs: [common]}",
		"loop.yaml":       "baseProfileName: lib/loop.yaml",
		"lib/loop.yaml":   "baseProfileName: ../loop.yaml",
		"self.json":       `{"baseProfileName": "./self.json"}`,
		"wrong.yaml":      "version: v1\nplatfrom: metal",
		"lib/typo.yaml":   "# a site\nbaseProfileName: isoo",
		"lib/astray.yaml": "# a site\nbaseProfileName: gone.yaml",
		"large.yaml":      strings.Repeat("# much\n", 1<<18),
	})
	for i := range 20 {
		write(t, dir, map[string]string{fmt.Sprintf("deep%d.yaml", i): fmt.Sprintf("baseProfileName: deep%d.yaml", i+1)})
	}
	p, err := resolve(t, nil, dir, "baseProfileName: lib/site.yaml\ncustomization: {extraKernelArgs: [top]}")
	if err != nil {
		t.Fatal(err)
	}
	if p.Output.Kind != "iso" || p.Version != "v1" || fmt.Sprint(p.Customization.ExtraKernelArgs) != "[common top]" || p.BaseProfileName != "" {
		t.Errorf("%+v", p)
	}
	if got, want := fmt.Sprint(p.Origins()), fmt.Sprintf("[file:%s/lib/site.yaml file:%s/common.yml]", dir, dir); got != want {
		t.Errorf("from %s, want %s", got, want)
	}
	for _, tt := range []struct {
		base string
		kind report.Kind
		want string
	}{
		{"gone.yaml", report.NotFound, "top.yaml:1:18: baseProfileName: open " + dir + "/gone.yaml: no such file"},
		{"lib/astray.yaml", report.NotFound, "lib/astray.yaml:2:18: baseProfileName: open " + dir + "/lib/gone.yaml: no such file"},
		{"loop.yaml", report.Invalid, "lib/loop.yaml:1:18: baseProfileName: profile ../loop.yaml is based on itself"},
		{"self.json", report.Invalid, "self.json:1:21: baseProfileName: profile ./self.json is based on itself"},
		{"./top.yaml", report.NotFound, "top.yaml:1:18"}, // is not there, or it would be itself
		{"deep0.yaml", report.Invalid, "deep15.yaml:1:18: baseProfileName: profile deep16.yaml is based on itself, or on more than 16 others"},
		{"wrong.yaml", report.Invalid, "wrong.yaml:2:1: platfrom: unknown field"},
		{"lib/typo.yaml", report.Invalid, `lib/typo.yaml:2:18: baseProfileName: unknown built-in profile "isoo"`},
		{"large.yaml", report.Invalid, "large.yaml"},
		{"./lib", report.Internal, "top.yaml:1:18: baseProfileName: read " + dir + "/lib: is a directory"},
		{"registry/x", report.Internal, "top.yaml:1:18: baseProfileName: no client"},
	} {
		_, err := resolve(t, nil, dir, "baseProfileName: "+tt.base)
		if report.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v: %v, want %v: %s", tt.base, report.KindOf(err), err, tt.kind, tt.want)
		}
	}
}

// TestImages pushes profiles to a registry and a layout, has skopeo copy them, and bases others on them.
func TestImages(t *testing.T) {
	t.Parallel()
	skopeo := oracle.Need(t, "skopeo")
	r := registrytest.Start(t, registrytest.Options{})
	client, dir := newClient(t), t.TempDir()
	push := func(to, text string) blob.Digest {
		t.Helper()
		ref, err := reference.Parse(to)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Push(t.Context(), client, ref, "site.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const site = "# of the site\nbaseProfileName: iso\nversion: v7\n"
	remote, local := r.URL+"/profiles/site:v1", "oci:"+filepath.Join(dir, "layout")+":v1"
	digest := push(remote, site)
	if got := push(local, site); got != digest {
		t.Errorf("%s in a layout, %s in a registry", got, digest)
	}
	oracle.Run(t, skopeo, "--insecure-policy", "copy", "--src-tls-verify=false", "docker://"+r.Host+"/profiles/site:v1", "oci:"+filepath.Join(dir, "copy")+":v1")
	digest2 := push(r.URL+"/profiles/second:v1", "baseProfileName: "+remote+"\nplatform: aws\n")
	for _, base := range []string{remote, local, "oci:" + filepath.Join(dir, "copy"), r.URL + "/profiles/second:v1"} {
		p, err := resolve(t, client, dir, "baseProfileName: "+base)
		if err != nil {
			t.Errorf("%s: %v", base, err)
			continue
		}
		if p.Version != "v7" || p.Output.Kind != "iso" {
			t.Errorf("%s: %+v", base, p)
		}
		origins := p.Origins()
		if last := origins[len(origins)-1]; !strings.HasSuffix(last, "@"+string(digest)) {
			t.Errorf("%s: from %s, not %s", base, origins, digest)
		}
		if len(origins) == 2 && !strings.HasSuffix(origins[0], "@"+string(digest2)) {
			t.Errorf("%s: from %s", base, origins)
		}
	}

	// What a tool such as oras pushes: another config, a layer more.
	if _, err := oci.Write(t.Context(), filepath.Join(dir, "oras"), "v1", oci.Image{
		ConfigType: "application/vnd.oci.empty.v1+json", Config: []byte("{}"),
		Files: []oci.File{
			{Title: "readme", MediaType: "text/plain", Digest: blob.SumBytes([]byte("hi")), Content: blob.String("hi")},
			{Title: "my.yaml", MediaType: MediaType, Digest: blob.SumBytes([]byte(site)), Content: blob.String(site)},
		},
	}, nil); err != nil {
		t.Fatal(err)
	}
	if p, err := resolve(t, client, dir, "baseProfileName: oci:"+dir+"/oras:v1"); err != nil || p.Version != "v7" {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := oci.Write(t.Context(), filepath.Join(dir, "other"), "v1", oci.Image{
		ConfigType: "application/vnd.oci.empty.v1+json", Config: []byte("{}"),
	}, nil); err != nil {
		t.Fatal(err)
	}
	push("oci:"+dir+"/wrong:v1", "baseProfileName: oci:"+dir+"/wrong:v1") // itself
	for _, tt := range []struct {
		base string
		kind report.Kind
		want string
	}{
		{r.URL + "/profiles/none:v1", report.NotFound, "top.yaml:1:18: baseProfileName: http://"},
		{"oci:" + dir + "/gone", report.NotFound, "top.yaml:1:18: baseProfileName: oci:"},
		{"oci:" + dir + "/other", report.Invalid, "holds no profile"},
		{"oci:" + dir + "/wrong:v1", report.Invalid, ":1:18: baseProfileName: profile oci:" + dir + "/wrong:v1 is based on itself"},
		{"registry.example:x/y", report.Invalid, "top.yaml:1:18: baseProfileName: reference"},
	} {
		_, err := resolve(t, client, dir, "baseProfileName: "+tt.base)
		if report.KindOf(err) != tt.kind || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v: %v, want %v: %s", tt.base, report.KindOf(err), err, tt.kind, tt.want)
		}
	}
}

func TestPushRefused(t *testing.T) {
	t.Parallel()
	ref, err := reference.Parse("oci:" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"baseProfileName: ./x.yaml": "is based on the file ./x.yaml",
		"platfrom: metal":           "p.yaml:1:1: platfrom",
	} {
		if _, err := Push(t.Context(), nil, ref, "p.yaml", []byte(text)); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, _, err := file("registry.example/x@sha256:0", "y.yaml"); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
}
