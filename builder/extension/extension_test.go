package extension_test

import (
	stdtar "archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/bootwright/bootwright/builder/base/oci"
	"github.com/bootwright/bootwright/builder/extension"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

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

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{})
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func loader(t testing.TB) *extension.Loader {
	t.Helper()
	s := openStore(t)
	return &extension.Loader{Images: fetch.New(s, fetch.Options{}), Store: s}
}

// show is a tree as text, a line a file, without times.
func show(t testing.TB, tr *tree.Tree) string {
	t.Helper()
	var b strings.Builder
	for _, n := range tr.Nodes() {
		d, err := blob.Sum(t.Context(), n.Open())
		must(t, err)
		b.WriteString(n.Mode.String() + " " + n.Path + " " + n.Link)
		if n.Mode.IsRegular() {
			b.WriteString(d.Short())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// snapshot is every file below dir.
func snapshot(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		p, err := os.ReadFile(name)
		all[strings.TrimPrefix(name, dir)] = string(p)
		return err
	}))
	return all
}

// pack writes exttest.Sound where ref says.
func pack(t testing.TB, ref string) blob.Digest {
	t.Helper()
	im, err := extension.Pack(t.Context(), openStore(t), exttest.Sound(), "amd64")
	must(t, err)
	d, err := extension.Write(t.Context(), nil, parse(t, ref), im)
	must(t, err)
	return d
}

func TestPackAndLoad(t *testing.T) {
	t.Parallel()
	want := show(t, exttest.Sound())
	dir := t.TempDir()
	for _, ref := range []string{"oci:" + dir + "/oci:v1", "tar:" + dir + "/x.tar"} {
		d := pack(t, ref)
		l := loader(t)
		for range 2 { // the second time from the store
			ext, err := l.Load(t.Context(), parse(t, ref), "amd64")
			must(t, err)
			if got := show(t, ext.Tree); got != want {
				t.Errorf("%s holds\n%s\nnot\n%s", ref, got, want)
			}
			if ext.Locked.Digest != d {
				t.Errorf("%s is %s, not %s", ref, ext.Locked.Digest, d)
			}
		}
		_, err := l.Load(t.Context(), parse(t, ref), "arm64")
		reporttest.Want(t, err, report.NotFound, "arm64")
	}
}

func TestPackTwice(t *testing.T) {
	t.Parallel()
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{a, b} {
		pack(t, "oci:"+dir+"/oci")
		pack(t, "tar:"+dir+"/x.tar:v2")
	}
	if !maps.Equal(snapshot(t, a), snapshot(t, b)) {
		t.Error("the same extension gives two images")
	}
}

func TestLoadFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(exttest.Manifest), 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, "rootfs/usr/local"), 0o755))
	l := loader(t)
	ext, err := l.Load(t.Context(), parse(t, "dir:"+dir), "")
	must(t, err)
	if got := show(t, ext.Tree); strings.Count(got, "\n") != 4 {
		t.Error(got)
	}
	l.MaxFiles = 3
	_, err = l.Load(t.Context(), parse(t, "dir:"+dir), "")
	reporttest.Want(t, err, report.Unsupported, "more than 3 files")
	_, err = l.Load(t.Context(), parse(t, "dir:"+dir+"/none"), "")
	if err == nil {
		t.Error("a folder that is not there loads")
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	im, err := extension.Pack(t.Context(), openStore(t), exttest.Sound(), "amd64")
	must(t, err)
	for _, ref := range []string{"dir:x", "example.org/x@sha256:" + strings.Repeat("0", 64), "oci:x@sha256:" + strings.Repeat("0", 64)} {
		_, err := extension.Write(t.Context(), nil, parse(t, ref), im)
		reporttest.Want(t, err, report.Invalid, "cannot be written")
	}
	bad := exttest.Sound()
	bad.Remove("manifest.yaml")
	_, err = extension.Pack(t.Context(), openStore(t), bad, "amd64")
	reporttest.Want(t, err, report.Invalid, "no manifest")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := extension.Pack(ctx, openStore(t), exttest.Sound(), "amd64"); err == nil {
		t.Error("packs after the end of its context")
	}
}

// entry is one of a layer's archive.
type entry struct {
	name, content string
	kind          byte // of archive/tar; a file if 0
	link          string
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := stdtar.NewWriter(&b)
	for _, e := range entries {
		h := &stdtar.Header{Name: e.name, Mode: 0o755, Typeflag: e.kind, Linkname: e.link, Size: int64(len(e.content))}
		if e.kind == 0 {
			h.Typeflag = stdtar.TypeReg
		}
		must(t, w.WriteHeader(h))
		_, err := w.Write([]byte(e.content))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func gzipped(t testing.TB, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(p)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

// layer is one of an image: its blob, and the archive that the config speaks of.
type layer struct {
	blob, archive []byte
	mediaType     string
}

func plain(p []byte) layer { return layer{p, p, "application/vnd.oci.image.layer.v1.tar"} }

// image is the reference of an image of layers.
func image(t testing.TB, layers ...layer) string {
	t.Helper()
	var ids []blob.Digest
	for _, l := range layers {
		ids = append(ids, blob.SumBytes(l.archive))
	}
	return imageOf(t, ids, layers...)
}

// imageOf is image with the digests that its config has.
func imageOf(t testing.TB, ids []blob.Digest, layers ...layer) string {
	t.Helper()
	im := oci.Image{Arch: "amd64", ConfigType: "application/vnd.oci.image.config.v1+json"}
	for _, l := range layers {
		im.Files = append(im.Files, oci.File{MediaType: l.mediaType, Digest: blob.SumBytes(l.blob), Content: blob.Bytes(l.blob)})
	}
	config, err := json.Marshal(map[string]any{"architecture": "amd64", "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
	must(t, err)
	im.Config = config
	dir := t.TempDir()
	_, err = oci.Write(t.Context(), dir, "", im, nil)
	must(t, err)
	return "oci:" + dir
}

func TestLayers(t *testing.T) {
	t.Parallel()
	file := func(name, content string) entry { return entry{name: name, content: content} }
	lower := archive(t, file("manifest.yaml", "lower"), file("rootfs/a/x", "1"), file("rootfs/a/y", "2"), file("rootfs/b/z", "3"), file("rootfs/f", "4"),
		entry{name: "rootfs/l", kind: stdtar.TypeSymlink, link: "a"}, entry{name: "./rootfs/h", kind: stdtar.TypeLink, link: "rootfs/f"})
	upper := archive(t, file("./manifest.yaml", "upper"), file("rootfs/a/.wh.x", ""), file("rootfs/b/.wh..wh..opq", ""), file("rootfs/b/new", "5"), file("rootfs/f/in", "6"),
		file("rootfs/l/through", "7"), file("rootfs/.wh.none", ""))
	var z bytes.Buffer
	zw, err := zstd.NewWriter(&z)
	must(t, err)
	_, err = zw.Write(lower)
	must(t, err)
	must(t, zw.Close())
	for name, first := range map[string]layer{
		"plain": plain(lower),
		"gzip":  {gzipped(t, lower), lower, "application/vnd.docker.image.rootfs.diff.tar.gzip"},
		"zstd":  {z.Bytes(), lower, "application/vnd.oci.image.layer.v1.tar+zstd"},
		"named": {gzipped(t, lower), lower, "application/vnd.oci.image.layer.v1.tar"}, // by a tool that names it wrongly
	} {
		ext, err := loader(t).Load(t.Context(), parse(t, image(t, first, plain(upper))), "amd64")
		must(t, err)
		var got []string
		for _, n := range ext.Tree.Nodes() {
			if n.Mode.IsRegular() {
				p, err := blob.ReadAll(n.Open(), 100)
				must(t, err)
				got = append(got, n.Path+"="+string(p))
			}
		}
		want := []string{"manifest.yaml=upper", "rootfs/a/y=2", "rootfs/b/new=5", "rootfs/f/in=6", "rootfs/h=4", "rootfs/l/through=7"}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestBadLayers: each is refused with its reason, and leaves nothing unpacked in the store.
func TestBadLayers(t *testing.T) {
	t.Parallel()
	good := archive(t, entry{name: "manifest.yaml", content: strings.Repeat("x", 3000)})
	packed := gzipped(t, good)
	flipped := bytes.Clone(packed)
	flipped[len(flipped)-6] ^= 1
	const gz = "application/vnd.oci.image.layer.v1.tar+gzip"
	for _, c := range []struct {
		name string
		in   layer
		kind report.Kind
		says string
	}{
		{"truncated gzip", layer{packed[:len(packed)-9], good, gz}, report.Invalid, "truncated"},
		{"truncated tar", plain(good[:700]), report.Invalid, "cut short"},
		{"truncated tar in gzip", layer{gzipped(t, good[:700]), good[:700], gz}, report.Invalid, "cut short"},
		{"gzip checksum", layer{flipped, good, gz}, report.Invalid, "checksum"},
		{"zstd soup", layer{[]byte("\x28\xb5\x2f\xfdsoup"), good, gz}, report.Invalid, "layer sha256:"},
		{"no tar", plain([]byte(strings.Repeat("soup", 500))), report.Invalid, "tar"},
		{"other archive than the config's", layer{good, packed, gz}, report.Invalid, "the image's config says"},
		{"media type", layer{good, good, "application/vnd.cncf.helm.chart.content.v1.tar+gzip"}, report.Unsupported, "no tar archive"},
		{"dot dot", plain(archive(t, entry{name: "rootfs/../../etc/passwd"})), report.Invalid, "leaves the tree"},
		{"through a link", plain(archive(t, entry{name: "rootfs/usr", kind: stdtar.TypeSymlink, link: "/"}, entry{name: "rootfs/usr/etc/passwd"})), report.Invalid, "symbolic link"},
		{"hard link outside", plain(archive(t, entry{name: "rootfs/x", kind: stdtar.TypeLink, link: "../../etc/shadow"})), report.Invalid, "leaves the tree"},
		{"hard link to nothing", plain(archive(t, entry{name: "rootfs/x", kind: stdtar.TypeLink, link: "/etc/shadow"})), report.Invalid, "no file before it"},
		{"white-out of a parent", plain(archive(t, entry{name: "rootfs/.wh..."})), report.Invalid, "removes no file"},
	} {
		l := loader(t)
		_, err := l.Load(t.Context(), parse(t, image(t, c.in)), "amd64")
		if err == nil {
			t.Errorf("%s: loads", c.name)
			continue
		}
		reporttest.Want(t, err, c.kind, c.says, "oci:")
	}
}

// TestDevices: what archives may hold and extensions may not is loaded, to be told by Validate with all else.
func TestDevices(t *testing.T) {
	t.Parallel()
	ref := image(t, plain(archive(t, entry{name: "manifest.yaml", content: exttest.Manifest}, entry{name: "rootfs/usr/local/null", kind: stdtar.TypeChar},
		entry{name: "rootfs/usr/local/abs", kind: stdtar.TypeSymlink, link: "/usr/../../etc"})))
	ext, err := loader(t).Load(t.Context(), parse(t, ref), "")
	must(t, err)
	err = extensions.Validate(ext.Tree, extensions.Facts{}, extensions.Options{}).Err()
	reporttest.Want(t, err, report.Invalid, "rootfs/usr/local/null: is a special file", "rootfs/usr/local/abs: the link")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	bomb := archive(t, entry{name: "manifest.yaml", content: strings.Repeat("\x00", 20<<20)})
	small := archive(t, entry{name: "a", content: strings.Repeat("a", 6000)})
	var many []entry
	for i := range 500 {
		many = append(many, entry{name: fmt.Sprintf("rootfs/%s%d", strings.Repeat("d/", i%20), i)})
	}
	const gz = "application/vnd.oci.image.layer.v1.tar+gzip"
	for _, c := range []struct {
		name, says string
		layers     []layer
	}{
		{"bomb", "unpacks to more than the 10000 bytes", []layer{{gzipped(t, bomb), bomb, gz}}},
		{"plain", "unpacks to more than the 10000 bytes", []layer{plain(bomb)}},
		{"together", "unpacks to more than the 2", []layer{plain(small), plain(small)}},
		{"files", "more than 100 files", []layer{{gzipped(t, archive(t, many...)), archive(t, many...), gz}}},
	} {
		l := loader(t)
		l.MaxBytes, l.MaxFiles = 10_000, 100
		if c.name == "files" {
			l.MaxBytes = 0
		}
		_, err := l.Load(t.Context(), parse(t, image(t, c.layers...)), "amd64")
		reporttest.Want(t, err, report.Unsupported, c.says)
		entries, err := l.Store.List()
		must(t, err)
		if c.name != "files" && len(entries) != 0 {
			t.Errorf("%s: the store keeps %v", c.name, entries)
		}
	}
}

// TestTooManyFiles: the limit that holds where none is given. A million files are refused at the same one.
func TestTooManyFiles(t *testing.T) {
	t.Parallel()
	pipe, w := io.Pipe()
	go func() {
		tw := stdtar.NewWriter(w)
		for i := range extension.DefaultMaxFiles + 50_000 {
			if err := tw.WriteHeader(&stdtar.Header{Name: fmt.Sprint("rootfs/", i), Mode: 0o644}); err != nil {
				break
			}
		}
		w.CloseWithError(tw.Close())
	}()
	var packed bytes.Buffer
	gz, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	must(t, err)
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(gz, sum), pipe)
	must(t, err)
	must(t, gz.Close())
	archive := blob.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil)))
	ref := imageOf(t, []blob.Digest{archive}, layer{blob: packed.Bytes(), mediaType: "application/vnd.oci.image.layer.v1.tar+gzip"})
	_, err = loader(t).Load(t.Context(), parse(t, ref), "amd64")
	reporttest.Want(t, err, report.Unsupported, "more than 200000 files")
}

// TestLimitHoldsForWhatIsKept: a layer that was unpacked under a higher limit does not pass a lower one.
func TestLimitHoldsForWhatIsKept(t *testing.T) {
	t.Parallel()
	p := archive(t, entry{name: "a", content: strings.Repeat("a", 60_000)})
	ref := image(t, layer{gzipped(t, p), p, "application/vnd.oci.image.layer.v1.tar+gzip"})
	l := loader(t)
	_, err := l.Load(t.Context(), parse(t, ref), "amd64")
	must(t, err)
	l.MaxBytes = 10_000
	_, err = l.Load(t.Context(), parse(t, ref), "amd64")
	reporttest.Want(t, err, report.Unsupported, "10000 bytes")
}

// TestSparseBomb: an archive of a few kilobytes that says it holds a file of a terabyte.
func TestSparseBomb(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := stdtar.NewWriter(&b)
	records := map[string]string{"XNU.sparse.major": "1", "XNU.sparse.minor": "0", "XNU.sparse.realsize": "1099511627776", "XNU.sparse.name": "big"}
	must(t, w.WriteHeader(&stdtar.Header{Name: "x", Mode: 0o644, Size: 512, Format: stdtar.FormatPAX, PAXRecords: records}))
	_, err := w.Write(append([]byte("0\n"), make([]byte, 510)...))
	must(t, err)
	must(t, w.Close())
	p := bytes.ReplaceAll(b.Bytes(), []byte("XNU"), []byte("GNU")) // which the writer refuses
	_, err = loader(t).Load(t.Context(), parse(t, image(t, plain(p))), "amd64")
	reporttest.Want(t, err, report.Unsupported, "big", "10995116")
}

func TestWrongDigest(t *testing.T) {
	t.Parallel()
	p := archive(t, entry{name: "manifest.yaml", content: "x"})
	ref := image(t, plain(p))
	file := filepath.Join(strings.TrimPrefix(ref, "oci:"), "blobs/sha256", blob.SumBytes(p).Hex())
	must(t, os.WriteFile(file, append(bytes.Clone(p[:len(p)-1]), 1), 0o644))
	_, err := loader(t).Load(t.Context(), parse(t, ref), "amd64")
	reporttest.Want(t, err, report.Invalid, blob.SumBytes(p).Hex())
}

// TestJudges has other people's tools read what Pack made, and Load what they make of it.
func TestJudges(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "skopeo")
	oracle.Need(t, "umoci")
	dir := t.TempDir()
	d := pack(t, "oci:"+dir+"/oci:v1")
	pack(t, "tar:"+dir+"/packed.tar:v1")
	want := show(t, exttest.Sound())

	for _, ref := range []string{"oci:" + dir + "/oci:v1", "oci-archive:" + dir + "/packed.tar:v1"} {
		said := oracle.Run(t, "skopeo", "inspect", ref)
		for _, s := range []string{string(d), `"Architecture": "amd64"`, `"org.opencontainers.image.version": "1.2.3"`, `"Created": "1970-01-01T00:00:00Z"`} {
			if !strings.Contains(said, s) {
				t.Errorf("skopeo says of %s\n%s\nwithout %s", ref, said, s)
			}
		}
	}
	bundle := filepath.Join(dir, "bundle")
	oracle.Run(t, "umoci", "unpack", "--rootless", "--image", dir+"/oci:v1", bundle)
	unpacked, err := tree.FromDir(filepath.Join(bundle, "rootfs"))
	must(t, err)
	if got := show(t, unpacked); got != want {
		t.Errorf("umoci unpacks\n%s\nnot\n%s", got, want)
	}

	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "oci:"+dir+"/oci:v1", "docker-archive:"+dir+"/docker.tar:x/y:v1")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "--dest-compress-format", "zstd", "oci:"+dir+"/oci:v1", "dir:"+dir+"/zstd")
	oracle.Run(t, "skopeo", "--insecure-policy", "copy", "dir:"+dir+"/zstd", "oci:"+dir+"/zstd-oci:v1")
	must(t, os.WriteFile(filepath.Join(bundle, "rootfs/rootfs/usr/local/new"), []byte("new"), 0o644))
	must(t, os.Remove(filepath.Join(bundle, "rootfs/rootfs/usr/lib/firmware/dev.bin")))
	oracle.Run(t, "umoci", "repack", "--image", dir+"/oci:v2", bundle)
	changed := exttest.Sound()
	changed.File("rootfs/usr/local/new", 0o644, blob.String("new"))
	changed.Remove("rootfs/usr/lib/firmware/dev.bin")
	for ref, want := range map[string]string{
		"tar:" + dir + "/docker.tar": want, "oci:" + dir + "/zstd-oci:v1": want, "oci:" + dir + "/oci:v2": show(t, changed),
	} {
		ext, err := loader(t).Load(t.Context(), parse(t, ref), "amd64")
		if err != nil {
			t.Error(err)
		} else if got := show(t, ext.Tree); got != want {
			t.Errorf("%s holds\n%s\nnot\n%s", ref, got, want)
		}
	}
}
