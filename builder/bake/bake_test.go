package bake_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder"
	"github.com/bootwright/bootwright/builder/bake"
	"github.com/bootwright/bootwright/builder/basetest"
	"github.com/bootwright/bootwright/builder/fetch"
	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/profiles"
)

// files writes files into a folder of their own.
func files(t testing.TB, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"52-54-00-12-34-56.yaml": configareatest.Worker("a"), "Serial 7.yml": configareatest.Worker("b"), "README": "x", ".hidden.yaml": "x",
	})
	entries, findings, err := bake.Load(profiles.MachineConfig{
		Inline: configareatest.Worker("rest"), Dir: dir, Patches: []string{"machine: {sysctls: {vm.swappiness: '1'}}"},
	})
	if err != nil || len(entries) != 3 || len(findings) > 0 {
		t.Fatalf("%d entries, %v, %v", len(entries), findings, err)
	}
	for i, want := range []struct{ match, hostname string }{{"default", "rest"}, {"52:54:00:12:34:56", "a"}, {"serial 7", "b"}} {
		text := string(entries[i].Config)
		if entries[i].Match != want.match || !strings.Contains(text, "hostname: "+want.hostname+"\n") || !strings.Contains(text, "vm.swappiness") {
			t.Errorf("%s has %s", entries[i].Match, text)
		}
	}
	if entries, _, err := bake.Load(profiles.MachineConfig{}); err != nil || entries != nil {
		t.Errorf("nothing gives %v, %v", entries, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	good := configareatest.Worker("a")
	dir := files(t, map[string]string{"default.yaml": good, "a.yaml": strings.Replace(good, "worker", "wroker", 1), "b.yaml": "version: v1alpha1\nmachine: []\n"})
	twice := files(t, map[string]string{"AA.yaml": good, "aa.yml": good})
	one := files(t, map[string]string{"one.yaml": good})
	for name, c := range map[string]struct {
		c    profiles.MachineConfig
		kind report.Kind
		want []string
	}{
		"all findings":    {profiles.MachineConfig{Dir: dir}, report.Invalid, []string{"a.yaml:3:9", "b.yaml:2:"}},
		"two defaults":    {profiles.MachineConfig{Dir: files(t, map[string]string{"default.yaml": good}), Inline: good}, report.Invalid, []string{"are both for default"}},
		"two of a kind":   {profiles.MachineConfig{Dir: twice}, report.Invalid, []string{"are both for aa"}},
		"no file":         {profiles.MachineConfig{Path: one + "/none"}, report.Internal, []string{"none: no such file"}},
		"a folder":        {profiles.MachineConfig{Path: one}, report.Invalid, []string{"is a folder"}},
		"empty folder":    {profiles.MachineConfig{Dir: t.TempDir()}, report.Invalid, []string{"has no machine configuration"}},
		"no patch file":   {profiles.MachineConfig{Path: one + "/one.yaml", Patches: []string{"@/none"}}, report.NotFound, []string{"/none"}},
		"patch misses":    {profiles.MachineConfig{Path: one + "/one.yaml", Patches: []string{`[{"op": "remove", "path": "/machine/none"}]`}}, report.Invalid, []string{"none"}},
		"patch makes bad": {profiles.MachineConfig{Path: one + "/one.yaml", Patches: []string{"machine: {type: x}"}}, report.Invalid, []string{"one.yaml:"}},
		"NUL bytes":       {profiles.MachineConfig{Inline: "a\x00"}, report.Invalid, []string{"customization.machineConfig.inline"}},
		"too big":         {profiles.MachineConfig{Path: "/dev/zero"}, report.Invalid, []string{"more than the"}},
	} {
		_, _, err := bake.Load(c.c)
		if err == nil || report.KindOf(err) != c.kind {
			t.Errorf("%s: kind %v: %v", name, report.KindOf(err), err)
		}
		for _, want := range c.want {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%s: %v; want %s", name, err, want)
			}
		}
	}
}

// builtISO is an ISO made from the small base, as a file.
func builtISO(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	basetest.Write(t, filepath.Join(dir, "base"), "amd64")
	s, err := store.Open(filepath.Join(dir, "cache"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	b := &builder.Builder{Store: s, Images: fetch.New(s, fetch.Options{}), Init: func(string) (blob.Blob, error) { return blob.String("init"), nil }}
	p, err := profiles.Builtin("iso")
	if err == nil {
		p.Base = "dir:" + filepath.Join(dir, "base")
		p, err = profiles.Resolve(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	plan, err := b.Lock(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	a, err := b.Build(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out.iso")
	if err := blob.WriteFile(t.Context(), path, a.Files[0].Blob, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

func digest(t *testing.T, path string) blob.Digest {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := blob.Sum(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestWrite: what is written is found, what does not fit changes nothing, and without entries the file is what it was.
func TestWrite(t *testing.T) {
	t.Parallel()
	path := builtISO(t)
	before := digest(t, path)
	entries := []configarea.Entry{{Match: "default", Config: []byte(configareatest.Worker("a"))}, {Match: "b", Config: nil}}
	if _, err := bake.Write(path, entries); err != nil {
		t.Fatal(err)
	}
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	area, err := bake.Find(f)
	if err != nil || len(area.Entries) != 2 || string(area.Entries[0].Config) != configareatest.Worker("a") || area.Free() != area.Size-configarea.Size(entries) {
		t.Errorf("%+v, %v", area, err)
	}
	written := digest(t, path)
	_, err = bake.Write(path, []configarea.Entry{{Match: "default", Config: make([]byte, configarea.Unit)}})
	if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "there is room for 65536") || !strings.Contains(report.HintOf(err), "room=131072") {
		t.Errorf("%v (%s)", err, report.HintOf(err))
	}
	if digest(t, path) != written || written == before {
		t.Error("what was refused changed the file, or what was written did not")
	}
	if _, err := bake.Write(path, nil); err != nil || digest(t, path) != before {
		t.Errorf("the file is not what it was: %v", err)
	}
}

// TestWriteMends: a damaged area, and one that somebody was about to write, are written anew.
func TestWriteMends(t *testing.T) {
	t.Parallel()
	path := builtISO(t)
	before := digest(t, path)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	area, err := bake.Write(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	writes, err := configarea.Rewrite(make([]byte, area.Size), []configarea.Entry{{Match: "a", Config: []byte("b")}})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range [][]byte{[]byte("# bootwright configuration area v1\n# entry x\n"), make([]byte, 512), writes[0].Data} {
		if _, err := f.WriteAt(text, area.Offset); err != nil {
			t.Fatal(err)
		}
		if _, err := bake.Find(open(t, path)); report.KindOf(err) != report.Invalid || !strings.Contains(report.HintOf(err), "config inject") {
			t.Errorf("%.20q: %v (%s)", text, err, report.HintOf(err))
		}
		if _, err := bake.Write(path, nil); err != nil || digest(t, path) != before {
			t.Errorf("%.20q: the file is not what it was: %v", text, err)
		}
	}
}

func open(t *testing.T, path string) blob.Blob {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestFindRefuses: images that have no area, or have it where it would have to be written twice.
func TestFindRefuses(t *testing.T) {
	t.Parallel()
	iso := func(contents map[string]blob.Blob) blob.Blob {
		var files tree.Tree
		for name, content := range contents {
			files.File(name, 0o444, content)
		}
		image, err := iso9660.Format(&files, iso9660.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return image
	}
	built, err := blob.OpenFile(builtISO(t))
	if err != nil {
		t.Fatal(err)
	}
	defer built.Close()
	v, err := iso9660.Read(built)
	if err != nil {
		t.Fatal(err)
	}
	esp := v.Tree.Get("boot/efi.img").Open()
	area, err := bake.Find(built)
	if err != nil {
		t.Fatal(err)
	}
	damaged, err := blob.Overlay(built, blob.Extent{Name: "x", Offset: area.Offset + 100, Blob: blob.String("x")})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		image blob.Blob
		kind  report.Kind
		want  string
	}{
		"empty":        {blob.Zeros(0), report.Invalid, "not an iso 9660 volume"},
		"zeros":        {blob.Zeros(1 << 20), report.Invalid, "not an iso 9660 volume"},
		"another":      {iso(map[string]blob.Blob{"a": blob.String("a")}), report.Unsupported, "has no place"},
		"no FAT":       {iso(map[string]blob.Blob{bake.ISOPath: blob.String("a"), "boot/efi.img": blob.String("b")}), report.NotFound, "efi.img"},
		"written anew": {iso(map[string]blob.Blob{bake.ISOPath: blob.String("a"), "boot/efi.img": esp}), report.Unsupported, "not the same sectors"},
		"damaged":      {damaged, report.Invalid, "offset 100"},
	} {
		if _, err := bake.Find(c.image); report.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s: kind %v: %v", name, report.KindOf(err), err)
		}
	}
}
