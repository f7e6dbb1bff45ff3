package kmod

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
)

// TestAgainstDepmod compares the index of all modules of two Debian kernels with what depmod(8) says of them.
func TestAgainstDepmod(t *testing.T) {
	for _, meta := range []string{"linux-image-cloud-amd64", "linux-image-amd64"} {
		t.Run(meta, func(t *testing.T) {
			k := debianKernel(t, meta)
			want := parseDepmod(oracle.Run(t, "depmod", "-n", "-b", k.root, k.release))
			x, err := Scan(k.tree(t), "usr/lib/modules/"+k.release)
			if err != nil {
				t.Fatal(err)
			}
			got := parseDepmod(content(t, x.Files(), fileDep) + content(t, x.Files(), fileAlias) + content(t, x.Files(), fileSoftdep))
			if len(got.depends) < 300 || len(got.aliases) < 1000 || len(got.softdeps) < 10 {
				t.Fatalf("only %d modules, %d aliases, %d soft dependencies", len(got.depends), len(got.aliases), len(got.softdeps))
			}
			compare(t, "modules.dep", got.depends, want.depends)
			compare(t, "modules.alias", got.aliases, want.aliases)
			compare(t, "modules.softdep", got.softdeps, want.softdeps)
			checkOrder(t, x, got.lists)
			if _, err := x.Load(names(x.Modules())...); err != nil {
				t.Errorf("load everything: %v", err)
			}
			t.Logf("%d modules, %d aliases, %d soft dependencies equal", len(got.depends), len(got.aliases), len(got.softdeps))
		})
	}
}

// indexText is depmod's text in a form in which order does not matter; lists keep that of modules.dep.
type indexText struct {
	depends, aliases, softdeps map[string]string
	lists                      map[string][]string
}

func parseDepmod(s string) indexText {
	x := indexText{map[string]string{}, map[string]string{}, map[string]string{}, map[string][]string{}}
	for line := range strings.Lines(s) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == "alias" && strings.HasPrefix(words[1], "symbol:"):
		case words[0] == "alias":
			x.aliases[normal(words[1])+" "+words[2]] = ""
		case words[0] == "softdep":
			var m Module
			m.addSoftdep(strings.Join(words[2:], " "))
			if len(m.SoftPre)+len(m.SoftPost) > 0 { // some of Debian's say neither pre: nor post:, which means nothing
				x.softdeps[words[1]] += strings.Join(m.SoftPre, " ") + ";" + strings.Join(m.SoftPost, " ")
			}
		case strings.HasSuffix(words[0], ".ko:"):
			path := strings.TrimSuffix(words[0], ":")
			x.lists[path] = words[1:]
			x.depends[path] = strings.Join(slices.Sorted(slices.Values(words[1:])), " ")
		}
	}
	for name, s := range x.softdeps { // several of a module are one, in any order
		x.softdeps[name] = strings.Join(slices.Sorted(strings.FieldsSeq(strings.ReplaceAll(s, ";", " "))), " ")
	}
	return x
}

func compare(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[k]; !ok || v != want[k] {
			t.Errorf("%s: %s: got %q (there: %t), depmod has %q", what, k, v, ok, want[k])
		}
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %s is not in depmod's", what, k)
		}
	}
}

// checkOrder loads each line of modules.dep from its end, as modprobe does, and looks whether anything comes too early.
func checkOrder(t *testing.T, x *Index, lists map[string][]string) {
	t.Helper()
	for path, deps := range lists {
		loaded := map[string]bool{}
		for _, p := range append(slices.Clone(slices.Compact(slices.Collect(backward(deps)))), path) {
			m, _ := x.Lookup(Name(p))
			for _, d := range m[0].Depends {
				if !loaded[d] {
					t.Errorf("modules.dep: %s: %s comes before %s", path, p, d)
				}
			}
			loaded[m[0].Name] = true
		}
	}
}

func backward(s []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range slices.Backward(s) {
			if !yield(v) {
				return
			}
		}
	}
}

func names(ms []*Module) (out []string) {
	for _, m := range ms {
		out = append(out, m.Name)
	}
	return out
}

func content(t testing.TB, tr *tree.Tree, p string) string {
	t.Helper()
	n := tr.Get(p)
	if n == nil {
		t.Fatalf("no %s", p)
	}
	b, err := blob.ReadAll(n.Open(), maxFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestAgainstModinfo compares every field of every module of a Debian kernel with what modinfo(8) prints.
func TestAgainstModinfo(t *testing.T) {
	k := debianKernel(t, "linux-image-amd64")
	var paths []string
	filepath.WalkDir(k.modules(), func(p string, d os.DirEntry, err error) error {
		if IsModule(p) {
			paths = append(paths, p)
		}
		return err
	})
	for batch := range slices.Chunk(paths, 1000) {
		out := oracle.Run(t, "modinfo", append([]string{"-0"}, batch...)...)
		for i, text := range strings.Split("\x00"+out, "\x00filename:")[1:] {
			fields := strings.Split(text, "\x00")
			if p := strings.TrimSpace(fields[0]); p != batch[i] {
				t.Fatalf("modinfo answers %s for %s", p, batch[i])
			}
			checkModinfo(t, batch[i], fields[1:])
		}
	}
}

func checkModinfo(t *testing.T, path string, fields []string) {
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(path, f)
	if err != nil {
		t.Error(err)
		return
	}
	want := Module{Name: m.Name, Path: m.Path, Machine: m.Machine}
	for _, field := range fields {
		if parm, ok := strings.CutPrefix(field, "parm:"); ok { // name:description (type), or name:type
			name, text, _ := strings.Cut(strings.TrimLeft(parm, " "), ":")
			p := m.Params[name]
			if !slices.Contains([]string{p.Description + " (" + p.Type + ")", p.Description + p.Type}, text) {
				t.Errorf("%s: parameter %s: %+v, modinfo has %q", path, name, p, text)
			}
			continue
		}
		key, value, _ := strings.Cut(field, "=")
		switch key {
		case "name":
			want.Name = value
		case "sig_id":
			want.Signed = true
		default:
			want.set(key, value)
		}
	}
	if d := difference(m, &want); d != "" {
		t.Errorf("%s: %s", filepath.Base(path), d)
	}
}

func difference(a, b *Module) string {
	switch {
	case a.Name != b.Name:
		return "name " + a.Name + ", modinfo " + b.Name
	case !slices.Equal(a.Depends, b.Depends):
		return "depends"
	case !slices.Equal(a.Aliases, b.Aliases):
		return "aliases"
	case !slices.Equal(a.Firmware, b.Firmware):
		return "firmware"
	case !slices.Equal(a.SoftPre, b.SoftPre) || !slices.Equal(a.SoftPost, b.SoftPost):
		return "soft dependencies"
	case a.License != b.License || a.Version != b.Version || a.Vermagic != b.Vermagic:
		return "license, version or vermagic"
	case a.Signed != b.Signed:
		return "signature"
	}
	return ""
}

// TestReadBack reads the files that it wrote, and those that depmod wrote, and asks both for the same.
func TestReadBack(t *testing.T) {
	k := debianKernel(t, "linux-image-amd64")
	x, err := Scan(k.tree(t), "usr/lib/modules/"+k.release)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ReadIndex(fsOf(t, x.Files()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names(x.Modules()), "fs-xfs", "crypto-crc32c", "crc32c", "ext4", "pci:v00001AF4d00001041sv00001AF4sd00000001bc02sc00i00") {
		want, err := x.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := back.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := slices.Sorted(slices.Values(names(got))), slices.Sorted(slices.Values(names(want))); !slices.Equal(a, b) {
			t.Errorf("%s: read back it loads %v, first it loaded %v", name, a, b)
		}
	}
	for _, n := range x.Files().Nodes() {
		if content(t, back.Files(), n.Path) != content(t, x.Files(), n.Path) {
			t.Errorf("%s changes when it is read and written", n.Path)
		}
	}
}

func fsOf(t testing.TB, tr *tree.Tree) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, n := range tr.Nodes() {
		out[n.Path] = &fstest.MapFile{Data: []byte(content(t, tr, n.Path))}
	}
	return out
}

func BenchmarkReadIndex(b *testing.B) {
	k := debianKernel(b, "linux-image-amd64")
	x, err := Scan(k.tree(b), "usr/lib/modules/"+k.release)
	if err != nil {
		b.Fatal(err)
	}
	files := fsOf(b, x.Files())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadIndex(files); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	k := debianKernel(b, "linux-image-amd64")
	x, err := Scan(k.tree(b), "usr/lib/modules/"+k.release)
	if err != nil {
		b.Fatal(err)
	}
	for _, alias := range []string{"pci:v00001AF4d00001041sv00001AF4sd00000001bc02sc00i00", "acpi:PNP0501:", "cpu:type:x86,ven0000fam0006mod0006:feature:,0000,0001"} {
		b.Run(alias[:4], func(b *testing.B) {
			for b.Loop() {
				x.Lookup(alias)
			}
		})
	}
}
