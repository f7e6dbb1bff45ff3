package fetch_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

const (
	imageType = "application/vnd.oci.image.manifest.v1+json"
	indexType = "application/vnd.oci.image.index.v1+json"
)

// object is a JSON object.
type object map[string]any

func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, store.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func client(t testing.TB, opts fetch.Options) *fetch.Client {
	t.Helper()
	return fetch.New(openStore(t, t.TempDir()), opts)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func parse(t testing.TB, s string) reference.Reference {
	t.Helper()
	r, err := reference.Parse(s)
	must(t, err)
	return r
}

// open resolves and opens a reference.
func open(t testing.TB, c *fetch.Client, ref, arch string) (*fetch.Image, error) {
	t.Helper()
	l, err := c.Resolve(t.Context(), parse(t, ref), arch)
	if err != nil {
		return nil, err
	}
	return c.Open(t.Context(), l)
}

// wantParts checks the parts of an image, "title=content" each, and its config.
func wantParts(t testing.TB, im *fetch.Image, config string, parts ...string) {
	t.Helper()
	if p, err := blob.ReadAll(im.Config.Blob, 1<<20); err != nil || !strings.Contains(string(p), config) {
		t.Errorf("config is %q, %v; want %q in it", p, err, config)
	}
	var got []string
	for _, l := range im.Layers {
		p, err := blob.ReadAll(l.Blob, 1<<20)
		must(t, err)
		if l.Digest != blob.SumBytes(p) || l.Size != int64(len(p)) {
			t.Errorf("layer %s says %s, %d bytes", l.Title, l.Digest, l.Size)
		}
		got = append(got, l.Title+"="+string(p))
	}
	if strings.Join(got, " ") != strings.Join(parts, " ") {
		t.Errorf("parts %q, want %q", got, parts)
	}
	if blob.SumBytes(im.Manifest) != im.Locked.Digest {
		t.Errorf("manifest has %s, locked %s", blob.SumBytes(im.Manifest), im.Locked.Digest)
	}
}

// layoutDir is an OCI image layout under construction.
type layoutDir struct {
	t       testing.TB
	dir     string
	entries []object
}

func newLayout(t testing.TB) *layoutDir {
	l := &layoutDir{t: t, dir: t.TempDir()}
	must(t, os.MkdirAll(filepath.Join(l.dir, "blobs", "sha256"), 0o755))
	l.file("oci-layout", `{"imageLayoutVersion":"1.0.0"}`)
	return l
}

func (l *layoutDir) file(name, content string) {
	must(l.t, os.WriteFile(filepath.Join(l.dir, name), []byte(content), 0o644))
}

func (l *layoutDir) blobPath(d blob.Digest) string {
	return filepath.Join(l.dir, "blobs", "sha256", d.Hex())
}

// blob writes content and returns its descriptor.
func (l *layoutDir) blob(content, mediaType string) object {
	d := blob.SumBytes([]byte(content))
	must(l.t, os.WriteFile(l.blobPath(d), []byte(content), 0o644))
	return object{"mediaType": mediaType, "digest": string(d), "size": len(content)}
}

func (l *layoutDir) json(v any, mediaType string) object {
	p, err := json.Marshal(v)
	must(l.t, err)
	return l.blob(string(p), mediaType)
}

// image writes an image of raw parts, "title=content" each.
func (l *layoutDir) image(arch string, parts ...string) object {
	var layers []object
	for _, p := range parts {
		title, content, _ := strings.Cut(p, "=")
		d := l.blob(content, "application/vnd.example.part")
		d["annotations"] = object{"org.opencontainers.image.title": title}
		layers = append(layers, d)
	}
	config := l.json(object{"architecture": arch, "os": "linux"}, "application/vnd.example.config+json")
	return l.json(object{"schemaVersion": 2, "mediaType": imageType, "config": config, "layers": layers}, imageType)
}

func (l *layoutDir) index(entries ...object) object {
	return l.json(object{"schemaVersion": 2, "mediaType": indexType, "manifests": append([]object{}, entries...)}, indexType)
}

func with(d object, key string, v any) object { d[key] = v; return d }

func forPlatform(d object, arch, os string) object {
	return with(d, "platform", object{"architecture": arch, "os": os})
}

// add puts d into index.json under tag, which may be empty.
func (l *layoutDir) add(d object, tag string) *layoutDir {
	if tag != "" {
		d["annotations"] = object{"org.opencontainers.image.ref.name": tag}
	}
	l.entries = append(l.entries, d)
	p, err := json.Marshal(object{"schemaVersion": 2, "manifests": l.entries})
	must(l.t, err)
	l.file("index.json", string(p))
	return l
}

func TestLayout(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.add(l.image("amd64", "vmlinuz=kernel", "rootfs.sqsh=root", "deep/empty="), "v1")
	cache := t.TempDir()
	s := openStore(t, cache)
	c := fetch.New(s, fetch.Options{})
	im, err := open(t, c, "oci:"+l.dir+":v1", "amd64")
	must(t, err)
	wantParts(t, im, "amd64", "vmlinuz=kernel", "rootfs.sqsh=root", "deep/empty=")
	if im.Layers[0].MediaType != "application/vnd.example.part" || im.Config.MediaType != "application/vnd.example.config+json" {
		t.Errorf("media types %q, %q", im.Layers[0].MediaType, im.Config.MediaType)
	}

	// The blobs are the layout's own files, and nothing was copied.
	if f, ok := im.Layers[0].Blob.(*blob.File); !ok || f.Name() != l.blobPath(im.Layers[0].Digest) {
		t.Errorf("layer is %v, want the file in the layout", im.Layers[0].Blob)
	}
	if list, err := s.List(); err != nil || len(list) > 0 {
		t.Errorf("the store took %v, %v", list, err)
	}

	// What was locked stays what it is when the tag moves on.
	l.entries = nil
	l.add(l.image("amd64", "vmlinuz=newer"), "v1")
	again, err := c.Open(t.Context(), im.Locked)
	must(t, err)
	wantParts(t, again, "amd64", "vmlinuz=kernel", "rootfs.sqsh=root", "deep/empty=")
	if again.Layers[0].Blob != im.Layers[0].Blob {
		t.Error("the same digest is two Blobs")
	}
}

func TestWarmLayoutReadsNothing(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.add(l.image("amd64", "vmlinuz=kernel", "rootfs.sqsh=root"), "")
	cache := t.TempDir()
	var hashed atomic.Int64
	for i, want := range []bool{true, true, false} { // the second time the files have settled
		s, err := store.Open(cache, store.Options{Progress: func(n int64) { hashed.Add(n) }})
		must(t, err)
		hashed.Store(0)
		_, err = open(t, fetch.New(s, fetch.Options{}), "oci:"+l.dir, "amd64")
		must(t, err)
		must(t, s.Close())
		if i != 1 && (hashed.Load() > 0) != want {
			t.Errorf("time %d: %d bytes hashed", i, hashed.Load())
		}
		settle()
	}
}

func TestWhichImageOfALayout(t *testing.T) {
	t.Parallel()
	single := func(l *layoutDir) { l.add(l.image("amd64", "a=amd"), "") }
	multi := func(l *layoutDir) {
		attestation := forPlatform(l.image("", "x=attestation"), "unknown", "unknown")
		windows := forPlatform(l.image("amd64", "w=windows"), "amd64", "windows")
		l.add(l.index(attestation, windows, forPlatform(l.image("arm64", "a=arm"), "arm64", "linux"), forPlatform(l.image("amd64", "a=amd"), "amd64", "linux")), "v1")
	}
	for _, c := range []struct {
		name   string
		make   func(l *layoutDir)
		suffix string
		arch   string
		want   string // parts, or:
		kind   report.Kind
		parts  []string
	}{
		{name: "the only one", make: single, arch: "amd64", want: "a=amd"},
		{name: "any architecture", make: single, want: "a=amd"},
		{name: "wrong architecture", make: single, arch: "arm64", kind: report.NotFound, parts: []string{"no image for arm64", "amd64"}},
		{name: "from an index", make: multi, arch: "arm64", want: "a=arm"},
		{name: "not the one for Windows", make: multi, suffix: ":v1", arch: "amd64", want: "a=amd"},
		{name: "missing architecture", make: multi, arch: "riscv64", kind: report.NotFound, parts: []string{"no image for riscv64", "windows/amd64, arm64, amd64"}},
		{name: "any of several architectures", make: multi, kind: report.Invalid, parts: []string{"arm64, amd64", "name one"}},
		{name: "no such tag", make: multi, suffix: ":v2", arch: "amd64", kind: report.NotFound, parts: []string{"v2", "v1"}},
		{name: "tag where there is none", make: single, suffix: ":v2", arch: "amd64", kind: report.NotFound, parts: []string{"v2"}},
		{name: "by tag", suffix: ":b", arch: "amd64", want: "p=b", make: func(l *layoutDir) {
			l.add(l.image("amd64", "p=a"), "a").add(l.image("amd64", "p=b"), "example.org/x:b")
		}},
		{name: "tag needed", arch: "amd64", kind: report.Invalid, parts: []string{"several", "a, b"}, make: func(l *layoutDir) {
			l.add(l.image("amd64", "p=a"), "a").add(l.image("amd64", "p=b"), "b")
		}},
		{name: "same tag for each architecture", suffix: ":v1", arch: "arm64", want: "p=arm", make: func(l *layoutDir) {
			l.add(l.image("amd64", "p=amd"), "v1").add(l.image("arm64", "p=arm"), "v1")
		}},
		{name: "index that lies about the platform", arch: "amd64", kind: report.NotFound, parts: []string{"no image for amd64; it has arm64"}, make: func(l *layoutDir) {
			l.add(l.index(forPlatform(l.image("arm64", "p=arm"), "amd64", "linux")), "")
		}},
		{name: "base of another architecture", arch: "amd64", kind: report.NotFound, parts: []string{"arm64"}, make: func(l *layoutDir) {
			config := l.json(object{"arch": "arm64", "name": "base"}, "application/vnd.example.base+json")
			l.add(l.json(object{"schemaVersion": 2, "config": config, "layers": []object{}}, imageType), "")
		}},
		{name: "nested", arch: "amd64", want: "p=deep", make: func(l *layoutDir) {
			l.add(l.index(l.index(l.index(l.image("amd64", "p=deep")))), "")
		}},
		{name: "nested too deep", arch: "amd64", kind: report.Invalid, parts: []string{"nested"}, make: func(l *layoutDir) {
			d := l.image("amd64", "p=deep")
			for range 6 {
				d = l.index(d)
			}
			l.add(d, "")
		}},
		{name: "endless", arch: "riscv64", kind: report.Invalid, parts: []string{"more than 64 manifests"}, make: func(l *layoutDir) {
			var all []object
			for i := range 100 {
				all = append(all, l.image("amd64", fmt.Sprint("p=", i)))
			}
			l.add(l.index(all...), "")
		}},
		{name: "empty index", arch: "amd64", kind: report.NotFound, parts: []string{"no image for amd64"}, make: func(l *layoutDir) { l.add(l.index(), "") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			c.make(l)
			im, err := open(t, client(t, fetch.Options{}), "oci:"+l.dir+c.suffix, c.arch)
			if c.want == "" {
				reporttest.Want(t, err, c.kind, append(c.parts, "oci:"+l.dir+c.suffix)...)
				return
			}
			must(t, err)
			wantParts(t, im, "", c.want)
		})
	}
}

func TestPinnedByDigest(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	arm := forPlatform(l.image("arm64", "a=arm"), "arm64", "linux")
	index := l.index(arm, forPlatform(l.image("amd64", "a=amd"), "amd64", "linux"))
	l.add(index, "v1")
	c := client(t, fetch.Options{})
	for _, d := range []object{index, arm} {
		im, err := open(t, c, fmt.Sprintf("oci:%s:v1@%s", l.dir, d["digest"]), "arm64")
		must(t, err)
		wantParts(t, im, "arm64", "a=arm")
		if im.Locked.String() != fmt.Sprintf("oci:%s:v1@%s", l.dir, arm["digest"]) {
			t.Errorf("locked as %s", im.Locked)
		}
	}
	_, err := c.Open(t.Context(), reference.Locked{Reference: parse(t, fmt.Sprintf("oci:%s@%s", l.dir, index["digest"]))})
	reporttest.Want(t, err, report.Invalid, "is an index")
	_, err = open(t, c, "oci:"+l.dir+"@"+string(blob.SumBytes(nil)), "arm64")
	reporttest.Want(t, err, report.NotFound, string(blob.SumBytes(nil)))
	_, err = open(t, c, fmt.Sprintf("oci:%s@%s", l.dir, arm["digest"]), "amd64")
	reporttest.Want(t, err, report.NotFound, "no image for amd64; it has arm64")
}

func TestBrokenLayout(t *testing.T) {
	t.Parallel()
	kernel, other := blob.SumBytes([]byte("kernel")), blob.SumBytes([]byte("lenrek"))
	harmless := func(l *layoutDir) object { return l.image("amd64", "vmlinuz=kernel") }
	for _, c := range []struct {
		name  string
		make  func(l *layoutDir)
		kind  report.Kind
		parts []string
	}{
		{"blob with other content", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.WriteFile(l.blobPath(kernel), []byte("lenrek"), 0o644))
		}, report.Invalid, []string{string(kernel), string(other)}},
		{"blob cut short", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.Truncate(l.blobPath(kernel), 3))
		}, report.Invalid, []string{string(kernel)}},
		{"blob missing", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.Remove(l.blobPath(kernel)))
		}, report.NotFound, []string{string(kernel)}},
		{"blob is a folder", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.Remove(l.blobPath(kernel)))
			must(l.t, os.Mkdir(l.blobPath(kernel), 0o755))
		}, report.Invalid, []string{string(kernel), "not a regular file"}},
		{"blob is a pipe", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.Remove(l.blobPath(kernel)))
			must(l.t, syscall.Mkfifo(l.blobPath(kernel), 0o644))
		}, report.Invalid, []string{string(kernel), "not a regular file"}},
		{"blob is a link to a device", func(l *layoutDir) {
			l.add(harmless(l), "")
			must(l.t, os.Remove(l.blobPath(kernel)))
			must(l.t, os.Symlink("/dev/zero", l.blobPath(kernel)))
		}, report.Invalid, []string{string(kernel), "not a regular file"}},
		{"manifest with other content", func(l *layoutDir) {
			d := harmless(l)
			l.add(d, "")
			must(l.t, os.WriteFile(l.blobPath(blob.Digest(d["digest"].(string))), []byte("{}"), 0o644))
		}, report.Invalid, []string{"wrong content"}},
		{"wrong size", func(l *layoutDir) {
			layer := with(l.blob("kernel", "x"), "size", 7)
			l.add(l.json(object{"schemaVersion": 2, "config": l.blob("{}", "x"), "layers": []object{layer}}, imageType), "")
		}, report.Invalid, []string{string(kernel), "6 bytes", "says 7"}},
		{"lying size", func(l *layoutDir) {
			layer := with(l.blob("kernel", "x"), "size", int64(1)<<62)
			l.add(l.json(object{"schemaVersion": 2, "config": l.blob("{}", "x"), "layers": []object{layer}}, imageType), "")
		}, report.Invalid, []string{string(kernel), "6 bytes"}},
		{"manifest of 5 MiB", func(l *layoutDir) {
			l.add(l.blob(strings.Repeat(" ", 5<<20), imageType), "")
		}, report.Invalid, []string{"5242880 bytes, more than the 4194304"}},
		{"no index.json", func(l *layoutDir) {}, report.NotFound, []string{"index.json"}},
		{"truncated index.json", func(l *layoutDir) { l.file("index.json", `{"schemaVersion":2,"manifests":[{"dig`) }, report.Invalid, []string{"index.json"}},
		{"index.json without digest", func(l *layoutDir) { l.file("index.json", `{"manifests":[{"size":1}]}`) }, report.Invalid, []string{"index.json", "not a digest"}},
		{"index.json with a path as digest", func(l *layoutDir) { l.file("index.json", `{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`) }, report.Invalid, []string{"not a digest"}},
		{"index.json is a pipe", func(l *layoutDir) {
			must(l.t, syscall.Mkfifo(filepath.Join(l.dir, "index.json"), 0o644))
		}, report.Invalid, []string{"index.json"}},
		{"no oci-layout", func(l *layoutDir) { must(l.t, os.Remove(filepath.Join(l.dir, "oci-layout"))) }, report.Invalid, []string{"not an OCI layout"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			c.make(l)
			_, err := open(t, client(t, fetch.Options{}), "oci:"+l.dir, "amd64")
			reporttest.Want(t, err, c.kind, append(c.parts, "oci:"+l.dir)...)
		})
	}
}

// A manifest is the work of somebody else, whatever its digest.
func TestBadManifests(t *testing.T) {
	t.Parallel()
	layer := func(edit string) string {
		return `{"schemaVersion":2,"config":CONFIG,"layers":[` + edit + `]}`
	}
	digest := string(blob.SumBytes([]byte("kernel")))
	titled := func(title string) string {
		return fmt.Sprintf(`{"digest":%q,"size":6,"annotations":{"org.opencontainers.image.title":%q}}`, digest, title)
	}
	for _, c := range []struct {
		name, manifest, mediaType string
		kind                      report.Kind
		part                      string
	}{
		{"not JSON", "MZ\x90\x00", imageType, report.Invalid, "not valid JSON"},
		{"null", "null", imageType, report.Invalid, "schema version 0"},
		{"list", "[]", imageType, report.Invalid, "not valid JSON"},
		{"schema 1", `{"schemaVersion":1,"fsLayers":[]}`, "", report.Unsupported, "schema version 1"},
		{"schema 3", `{"schemaVersion":3}`, imageType, report.Invalid, "schema version 3"},
		{"neither", `{"schemaVersion":2}`, imageType, report.Invalid, "neither"},
		{"both", `{"schemaVersion":2,"config":CONFIG,"manifests":[]}`, imageType, report.Invalid, "at once"},
		{"no config", `{"schemaVersion":2,"layers":[]}`, imageType, report.Invalid, "no config"},
		{"index called image", `{"schemaVersion":2,"manifests":[]}`, imageType, report.Invalid, "otherwise"},
		{"image that calls itself index", `{"schemaVersion":2,"mediaType":"` + indexType + `","config":CONFIG}`, "", report.Invalid, "otherwise"},
		{"foreign media type", `{"schemaVersion":2,"config":CONFIG}`, "application/pdf", report.Unsupported, "application/pdf"},
		{"sha512", layer(`{"digest":"sha512:00","size":1}`), imageType, report.Unsupported, "sha512"},
		{"no digest", layer(`{"size":1}`), imageType, report.Invalid, "not a digest"},
		{"negative size", layer(`{"digest":"` + digest + `","size":-1}`), imageType, report.Invalid, "size -1"},
		{"fractional size", layer(`{"digest":"` + digest + `","size":1.5}`), imageType, report.Invalid, "not valid JSON"},
		{"title that leaves", layer(titled("../../.bashrc")), imageType, report.Invalid, "leaves the tree"},
		{"absolute title", layer(titled("/etc/passwd")), imageType, report.Invalid, "absolute"},
		{"title with NUL", layer(titled("a\x00b")), imageType, report.Invalid, "title"},
		{"title of the folder", layer(titled(".")), imageType, report.Invalid, "title"},
		{"same title twice", layer(titled("a") + "," + titled("a")), imageType, report.Invalid, `"a"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLayout(t)
			config := l.blob("{}", "x")
			text, err := json.Marshal(config)
			must(t, err)
			l.blob("kernel", "x")
			d := l.blob(strings.ReplaceAll(c.manifest, "CONFIG", string(text)), c.mediaType)
			l.add(d, "")
			_, err = open(t, client(t, fetch.Options{}), "oci:"+l.dir, "amd64")
			reporttest.Want(t, err, c.kind, c.part, d["digest"].(string))
		})
	}
}

func TestLayoutWithLinkedBlobs(t *testing.T) {
	t.Parallel()
	l := newLayout(t)
	l.add(l.image("amd64", "vmlinuz=kernel"), "")
	shared := t.TempDir()
	blobs := filepath.Join(l.dir, "blobs", "sha256")
	entries, err := os.ReadDir(blobs)
	must(t, err)
	for _, e := range entries {
		must(t, os.Rename(filepath.Join(blobs, e.Name()), filepath.Join(shared, e.Name())))
		must(t, os.Symlink(filepath.Join(shared, e.Name()), filepath.Join(blobs, e.Name())))
	}
	im, err := open(t, client(t, fetch.Options{}), "oci:"+l.dir, "amd64")
	must(t, err)
	wantParts(t, im, "amd64", "vmlinuz=kernel")
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, content string) {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	c := client(t, fetch.Options{})
	_, err := open(t, c, "dir:"+dir, "amd64")
	reporttest.Want(t, err, report.NotFound, "dir:"+dir, "manifest.json")
	write("manifest.json", `{"name":"base","arch":"amd64"}`)
	write("vmlinuz", "kernel")
	write("rootfs.sqsh", "root")
	im, err := open(t, c, "dir:"+dir, "amd64")
	must(t, err)
	wantParts(t, im, `"base"`, "rootfs.sqsh=root", "vmlinuz=kernel")
	if f, ok := im.Layers[0].Blob.(*blob.File); !ok || f.Name() != filepath.Join(dir, "rootfs.sqsh") {
		t.Errorf("layer is %v, want the file itself", im.Layers[0].Blob)
	}
	_, err = open(t, c, "dir:"+dir, "arm64")
	reporttest.Want(t, err, report.NotFound, "no image for arm64; it has amd64")

	// The same content elsewhere locks to the same digest.
	copied := t.TempDir()
	must(t, os.CopyFS(copied, os.DirFS(dir)))
	again, err := open(t, client(t, fetch.Options{}), "dir:"+copied, "amd64")
	must(t, err)
	if again.Locked.Digest != im.Locked.Digest {
		t.Errorf("a copy locks to %s, not %s", again.Locked.Digest, im.Locked.Digest)
	}
	settle()
	write("vmlinuz", "newer kernel")
	_, err = c.Open(t.Context(), im.Locked)
	reporttest.Want(t, err, report.Invalid, "changed since it was locked", string(im.Locked.Digest))
	must(t, os.Mkdir(filepath.Join(dir, "rootfs"), 0o755))
	_, err = open(t, c, "dir:"+dir, "amd64")
	reporttest.Want(t, err, report.Invalid, "rootfs", "not a regular file")
}

func TestMissingOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	file := filepath.Join(dir, "file.tar")
	must(t, os.WriteFile(file, nil, 0o644))
	c := client(t, fetch.Options{})
	for _, f := range []struct {
		ref, hint string
		kind      report.Kind
	}{
		{"oci:" + none, "", report.NotFound},
		{"tar:" + none, "", report.NotFound},
		{"dir:" + none, "", report.NotFound},
		{"oci:" + file, "did you mean tar:" + file, report.Invalid},
		{"tar:" + dir, "did you mean oci:" + dir, report.Invalid},
		{"oci:" + dir, "dir:" + dir, report.Invalid},
		{"dir:" + file, "", report.Invalid},
	} {
		_, err := open(t, c, f.ref, "amd64")
		reporttest.Want(t, err, f.kind, f.ref)
		if got := report.HintOf(err); !strings.Contains(got, f.hint) {
			t.Errorf("%s: hint %q, want %q", f.ref, got, f.hint)
		}
	}
}

// settle waits until the clock that stamps files has moved on, so that the store trusts their stamps.
func settle() { time.Sleep(30 * time.Millisecond) }
