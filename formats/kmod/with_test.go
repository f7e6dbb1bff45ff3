package kmod

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootwright/bootwright/formats/tree"
)

// saved is x as the node reads it: from the files.
func saved(t *testing.T, x *Index) *Index {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, n := range x.Files().Nodes() {
		fsys[n.Path] = &fstest.MapFile{Data: []byte(content(t, x.Files(), n.Path))}
	}
	out, err := ReadIndex(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWith(t *testing.T) {
	base := saved(t, index("a b | alias pci:a*", "b", "c b | pre a | alias of:c", "d"))
	b := &Module{Name: "b", Path: "extra/b.ko", Depends: []string{"new"}, Aliases: []string{"pci:b*"}}
	added := []*Module{
		{Name: "zwei", Path: "extra/zwei.ko", Depends: []string{"c"}, SoftPost: []string{"d"}, Aliases: []string{"of:c"}},
		{Name: "new", Path: "extra/new.ko"}, b,
	}
	x := base.With(added)
	for _, x := range []*Index{x, saved(t, x)} {
		got := content(t, x.Files(), fileDep)
		const want = "kernel/a.ko: extra/b.ko extra/new.ko\nextra/b.ko: extra/new.ko\nkernel/c.ko: extra/b.ko extra/new.ko\n" +
			"kernel/d.ko:\nextra/new.ko:\nextra/zwei.ko: kernel/c.ko extra/b.ko extra/new.ko\n"
		if got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
		found, _ := x.Lookup("of:c")
		if len(found) != 2 || found[0].Name != "c" || found[1].Name != "zwei" {
			t.Errorf("of:c is %v", found)
		}
		order, err := x.Load("zwei")
		if err != nil || strings.Join(names(order), " ") != "new b a c zwei d" {
			t.Errorf("%v, %v", names(order), err)
		}
	}
	if old, _ := base.Lookup("b"); old[0].Path != "kernel/b.ko" {
		t.Error("the index that was laid under changed")
	}
}

// TestWithReplacedAliases: what a replaced module was found by is gone.
func TestWithReplacedAliases(t *testing.T) {
	base := saved(t, index("a | alias pci:old*"))
	x := base.With([]*Module{{Name: "a", Path: "extra/a.ko", Aliases: []string{"pci:new*"}}})
	if _, known := x.Lookup("pci:old1"); known {
		t.Error("the old alias is still there")
	}
	if m, _ := x.Lookup("pci:new1"); len(m) != 1 || m[0].Path != "extra/a.ko" {
		t.Errorf("pci:new1 is %v", m)
	}
}

// TestWithIsScan splits a real kernel's modules in two and wants the index of all.
func TestWithIsScan(t *testing.T) {
	k := debianKernel(t, "linux-image-cloud-amd64")
	all, err := Scan(k.tree(t), "usr/lib/modules/"+k.release)
	if err != nil {
		t.Fatal(err)
	}
	var some []string
	for i, m := range all.Modules() {
		if i%2 == 0 {
			some = append(some, m.Name)
		}
	}
	kept, err := all.Load(some...)
	if err != nil {
		t.Fatal(err)
	}
	var rest []*Module
	for _, m := range all.Modules() {
		if !slices.Contains(kept, m) {
			rest = append(rest, m)
		}
	}
	got := saved(t, NewIndex(kept, all.Kernel())).With(rest)
	if len(rest) < 50 {
		t.Fatalf("only %d modules were added", len(rest))
	}
	for _, file := range []string{fileDep, fileAlias, fileSoftdep} {
		if sortedLines(t, got.Files(), file) != sortedLines(t, all.Files(), file) {
			t.Errorf("%s differs", file)
		}
	}
	t.Logf("%d modules and %d added", len(kept), len(rest))
}

// sortedLines is an index file, with the words of modules.dep's lines in any order: where modules need each other's
// dependencies, several orders are right.
func sortedLines(t *testing.T, files *tree.Tree, name string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(content(t, files, name)) {
		words := strings.Fields(line)
		if name == fileDep {
			slices.Sort(words[1:])
		}
		lines = append(lines, strings.Join(words, " "))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestBuiltinFirmware(t *testing.T) {
	x := NewIndex(nil, KernelFiles{BuiltinModinfo: "a.license=GPL\x00a.firmware=x/y.bin\x00b.firmware=r*.db\x00c.firmware=x/y.bin\x00"})
	if got := strings.Join(x.BuiltinFirmware(), " "); got != "r*.db x/y.bin" {
		t.Errorf("%s", got)
	}
}
