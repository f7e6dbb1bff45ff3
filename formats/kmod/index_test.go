package kmod

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bootwright/bootwright/internal/report"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "", false}, {"*", "", true}, {"*", "a/b", true}, {"a*", "b", false},
		{"a*c*e", "abcde", true}, {"a*c*e", "abcd", false}, {"?", "", false}, {"?b", "ab", true}, {"*?", "", false},
		{"[a-c]x", "bx", true}, {"[a-c]x", "dx", false}, {"[!a-c]x", "dx", true}, {"[^a]", "a", false}, {"[ab", "[ab", true},
		{"[]", "[]", true}, {"[-a]", "-", true}, {"a**", "a", true}, {"*a", "aaab", false},
		{"pci:v00001AF4d*sv*sd*bc*sc*i*", "pci:v00001AF4d00001041sv00001AF4sd00000001bc02sc00i00", true},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) = %t", c.pattern, c.s, got)
		}
	}
}

// TestMatchFindsWhatGlobFinds compares the walk over sorted aliases with trying each.
func TestMatchFindsWhatGlobFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		b := make([]byte, rng.IntN(6))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	for range 300 {
		var lines []string
		for i := range 40 {
			lines = append(lines, aliasLine(word("aabbc*?[]!"), fmt.Sprint("m", i)))
		}
		a := newAliases(lines)
		for range 40 {
			s := word("abc*")
			var want []string
			for pattern, module := range a.all {
				if glob(pattern, s) {
					want = append(want, module)
				}
			}
			got := a.match(s)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(slices.Compact(got), want) {
				t.Fatalf("%q: walk finds %v, each tried %v in %v", s, got, want, a)
			}
		}
	}
}

func FuzzGlob(f *testing.F) {
	f.Add("a*c?[a-f]", "abcdef")
	f.Add("[!x-]*", "-")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if strings.ContainsAny(pattern, "[]\\") || len(pattern) > 50 {
			glob(pattern, s)
			return
		}
		re := "(?s)^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(latin1(pattern))) + "$"
		if want := regexp.MustCompile(re).MatchString(latin1(s)); glob(pattern, s) != want {
			t.Errorf("glob(%q, %q) = %t", pattern, s, !want)
		}
	})
}

// latin1 makes each byte a rune of its own, as regexp sees them.
func latin1(s string) string {
	r := make([]rune, len(s))
	for i := range len(s) {
		r[i] = rune(s[i])
	}
	return string(r)
}

// index is built from lines: "name depends,… | pre … | post … | alias …".
func index(lines ...string) *Index {
	var ms []*Module
	for _, line := range lines {
		parts := strings.Split(line, "|")
		words := strings.Fields(parts[0])
		m := &Module{Name: words[0], Path: "kernel/" + words[0] + ".ko", Depends: words[1:]}
		for _, p := range parts[1:] {
			words := strings.Fields(p)
			switch words[0] {
			case "pre":
				m.SoftPre = words[1:]
			case "post":
				m.SoftPost = words[1:]
			case "alias":
				m.Aliases = words[1:]
			}
		}
		ms = append(ms, m)
	}
	return NewIndex(ms, KernelFiles{
		Builtin: "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-t10dif.ko\n", BuiltinModinfo: "ext4.alias=fs-ext2\x00ext4.license=GPL\x00",
	})
}

func TestLoad(t *testing.T) {
	for _, c := range []struct {
		name  string
		index []string
		load  string
		want  string // names in order
		err   string
	}{
		{"closure once", []string{"a b c", "b d", "c d", "d"}, "a c", "d b c a", ""},
		{"soft dependencies", []string{"a b | pre p | post q", "b | pre r", "p", "q", "r s", "s"}, "a", "p s r b a q", ""},
		{"soft dependency by alias, all that match", []string{"xfs libcrc32c", "libcrc32c | pre crypto-crc32c", "crc32c_intel | alias crypto-crc32c", "crc32c_generic | alias crypto-crc*"}, "xfs", "crc32c_generic crc32c_intel libcrc32c xfs", ""},
		{"soft dependency that does not exist", []string{"a | pre nothing | post nothing"}, "a", "a", ""},
		{"built in", []string{"a ext4 | pre fs-ext2"}, "ext4 fs-ext2 crc_t10dif crc-t10dif a", "a", ""},
		{"by alias", []string{"xfs | alias fs-xfs"}, "fs-xfs", "xfs", ""},
		{"dash and underscore", []string{"a_b | alias x-y"}, "a-b x_y", "a_b", ""},
		{"soft dependency that needs it", []string{"a | pre b", "b c", "c a"}, "a", "a c b", ""},
		{"soft dependencies on each other", []string{"a | pre b", "b | pre a"}, "a b", "b a", ""},
		{"missing", []string{"a b c", "b d | pre x"}, "a nothing", "b a", "d, which b needs, is missing; c, which a needs, is missing; nothing is missing"},
		{"cycle", []string{"a b", "b c", "c b", "d"}, "a d", "d", "b needs c needs b"},
		{"on itself", []string{"a a"}, "a", "", "a needs a"},
		{"soft dependency on a cycle", []string{"a | pre b", "b b"}, "a", "a", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			order, err := index(c.index...).Load(strings.Fields(c.load)...)
			if got := strings.Join(names(order), " "); got != c.want {
				t.Errorf("order %q, want %q", got, c.want)
			}
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || err.Error() != "kernel modules: "+c.err || report.KindOf(err) != report.Invalid):
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// TestLoadIsQuick: tangles that a walk without memory would take for ever on.
func TestLoadIsQuick(t *testing.T) {
	const n = 3000
	lines := []string{"m0"}
	for i := 1; i < n; i++ {
		line := fmt.Sprintf("m%d m%d | pre", i, i-1)
		for j := 1; j < 5; j++ {
			line += fmt.Sprintf(" m%d", (i+j*7)%n)
		}
		lines = append(lines, line)
	}
	index(lines...).Load("m5", fmt.Sprint("m", n-1))
}

func TestPreference(t *testing.T) {
	m := func(path string) *Module { return &Module{Name: Name(path), Path: path, Aliases: []string{"x"}} }
	x := NewIndex([]*Module{m("kernel/z.ko"), m("kernel/b.ko.xz"), m("kernel/a.ko"), m("updates/a.ko"), m("extra/a.ko")},
		KernelFiles{Order: "kernel/b.ko\nkernel/a.ko\n"})
	found, known := x.Lookup("x")
	var paths []string
	for _, m := range found {
		paths = append(paths, m.Path)
	}
	if want := []string{"kernel/b.ko.xz", "updates/a.ko", "kernel/z.ko"}; !known || !slices.Equal(paths, want) {
		t.Errorf("%v, want %v", paths, want)
	}
}

func TestReadIndexRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"modules.dep":                     {},
		"modules.dep:2: does not say":     {fileDep: "# comment\nkernel/a.ko\n"},
		"modules.alias:1: does not say":   {fileDep: "a.ko:\n", fileAlias: "alias x\n"},
		"modules.softdep:1: does not say": {fileDep: "a.ko:\n", fileSoftdep: "softdep a\n"},
		"modules.dep: larger than":        {fileDep: strings.Repeat("\n", maxFile+1)},
	} {
		fsys := fstest.MapFS{}
		for f, s := range files {
			fsys[f] = &fstest.MapFile{Data: []byte(s)}
		}
		if _, err := ReadIndex(fsys); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, name)
		}
	}
}

func FuzzReadIndex(f *testing.F) {
	f.Add("kernel/a.ko: kernel/b.ko\nkernel/b.ko: kernel/a.ko\n", "alias pci:* a\n", "softdep a pre: b post: pci:x\n")
	f.Add("a.ko:\n", sortedHeader+"alias pci:* a\nalias x a\n", "")
	f.Add("a.ko:\n", sortedHeader+"\na\nalias\npci:\n\n", "")
	f.Fuzz(func(t *testing.T, dep, alias, softdep string) {
		x, err := ReadIndex(fstest.MapFS{fileDep: {Data: []byte(dep)}, fileAlias: {Data: []byte(alias)}, fileSoftdep: {Data: []byte(softdep)}})
		if err != nil {
			return
		}
		x.Load(append(names(x.Modules()), "pci:x")...)
		back, err := ReadIndex(fsOf(t, x.Files()))
		if len(x.Modules()) > 0 && err != nil {
			t.Fatalf("cannot read what was written: %v", err)
		}
		if err == nil && content(t, back.Files(), fileAlias) != content(t, x.Files(), fileAlias) {
			t.Error("aliases change when written and read")
		}
	})
}
