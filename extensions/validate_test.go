package extensions_test

import (
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/kmod"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

const (
	modules = "rootfs/usr/lib/modules/" + exttest.Release + "/extra/"
	service = "rootfs/usr/local/etc/containers/hello.yaml"
	rootOf  = "rootfs/usr/local/lib/containers/hello/"
)

// facts are all there is to know of the base that exttest.Sound fits.
func facts(t testing.TB) extensions.Facts {
	t.Helper()
	base := exttest.Base()
	index, err := kmod.Scan(base, "usr/lib/modules/"+exttest.Release)
	if err != nil {
		t.Fatal(err)
	}
	return extensions.Facts{Arch: "amd64", Release: exttest.Release, Version: "v1.9.2-beta.1", Modules: index, Root: base}
}

func TestSound(t *testing.T) {
	t.Parallel()
	for _, f := range extensions.Validate(exttest.Sound(), facts(t), extensions.Options{}) {
		t.Error(f)
	}
}

// planted is a fault: how it gets into a sound extension, and the finding that must name it.
type planted struct {
	file  string // where the finding must be
	says  string
	plant func(t *tree.Tree)
}

func text(p, from, to string) func(*tree.Tree) {
	return func(t *tree.Tree) {
		old, err := blob.ReadAll(t.Get(p).Open(), 1<<20)
		if err != nil || !strings.Contains(string(old), from) {
			panic(fmt.Sprintf("%s has no %q: %v", p, from, err))
		}
		t.File(p, 0o644, blob.String(strings.Replace(string(old), from, to, 1)))
	}
}

func file(p string, mode fs.FileMode, content []byte) func(*tree.Tree) {
	return func(t *tree.Tree) { t.File(p, mode, blob.Bytes(content)) }
}

func node(n tree.Node) func(*tree.Tree) {
	return func(t *tree.Tree) {
		if err := t.Add(n); err != nil {
			panic(err)
		}
	}
}

func link(p, target string) func(*tree.Tree) { return func(t *tree.Tree) { t.Symlink(p, target) } }

func remove(p string) func(*tree.Tree) { return func(t *tree.Tree) { t.Remove(p) } }

func table() []planted {
	program := func(m elf.Machine, interp string, needed ...string) []byte {
		return exttest.Program(m, interp, needed...)
	}
	module := func(fields ...string) []byte { return exttest.Module(exttest.Release, elf.EM_X86_64, fields...) }
	return []planted{
		{"manifest.yaml", "has no manifest", remove("manifest.yaml")},
		{"manifest.yaml", "unsupported manifest version", text("manifest.yaml", "v1alpha1", "v1beta1")},
		{"manifest.yaml", `did you mean "author"`, text("manifest.yaml", "author", "auhtor")},
		{"manifest.yaml", "needs a name", text("manifest.yaml", "  name: hello\n", "")},
		{"manifest.yaml", "needs a version", text("manifest.yaml", "  version: 1.2.3\n", "")},
		{"manifest.yaml", "version range", text("manifest.yaml", ">= v1.9.0", "~> 1.9")},
		{"manifest.yaml", "is not satisfied by version v1.9.2-beta.1", text("manifest.yaml", ">= v1.9.0", ">= v1.10.0")},
		{"manifest.yaml", "second document", text("manifest.yaml", "version: v1alpha1", "version: v1alpha1\n---\nversion: v1alpha1")},
		{"rootfs", "no root file system", remove("rootfs")},
		{"README.md", "unexpected file", file("README.md", 0o644, nil)},
		{"manifest.yml", "unexpected file", file("manifest.yml", 0o644, nil)},
		{"rootfs/usr/localfoo/x", "is not allowed in extensions", file("rootfs/usr/localfoo/x", 0o644, nil)},
		{"rootfs/usr/bin/nvme2", "is not allowed in extensions", file("rootfs/usr/bin/nvme2", 0o755, nil)},
		{"rootfs/etc/passwd", "is not allowed in extensions", link("rootfs/etc/passwd", "/usr/local/passwd")},
		{"rootfs/usr/local/x", "everybody may write", file("rootfs/usr/local/x", 0o666, nil)},
		{"rootfs/usr/local/tmp", "everybody may write", func(t *tree.Tree) { t.Dir("rootfs/usr/local/tmp", 0o777) }},
		{"rootfs/usr/local/su", "rights of its owner", file("rootfs/usr/local/su", 0o755|fs.ModeSetuid, nil)},
		{"rootfs/usr/local/sg", "rights of its owner or group", file("rootfs/usr/local/sg", 0o755|fs.ModeSetgid, nil)},
		{"rootfs/usr/local/cap", "capabilities", node(tree.Node{Path: "rootfs/usr/local/cap", Mode: 0o755, Xattrs: map[string]string{"security.capability": "x"}})},
		{"rootfs/usr/local/null", "special file", node(tree.Node{Path: "rootfs/usr/local/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 1, Minor: 3})},
		{"rootfs/usr/local/fifo", "special file", node(tree.Node{Path: "rootfs/usr/local/fifo", Mode: fs.ModeNamedPipe | 0o600})},
		{"rootfs/usr/local/up", "leaves the root", link("rootfs/usr/local/up", "../../../etc/shadow")},
		{rootOf + "up", "leaves the root", link(rootOf+"up", "../tool")},
		{"rootfs/usr/local/.wh.x", "removal of another", file("rootfs/usr/local/.wh.x", 0o644, nil)},
		{modules + "c.ko", "was built for kernel \"6.2.0\"", file(modules+"c.ko", 0o644, exttest.Module("6.2.0", elf.EM_X86_64))},
		{"rootfs/usr/lib/modules/6.2.0/c.ko", "is in the folder of kernel 6.2.0", file("rootfs/usr/lib/modules/6.2.0/c.ko", 0o644, exttest.Module("6.2.0", elf.EM_X86_64))},
		{"rootfs/usr/lib/modules", "2 kernel releases", file("rootfs/lib/modules/6.2.0/c.ko", 0o644, exttest.Module("6.2.0", elf.EM_X86_64))},
		{modules + "c.ko", "EM_AARCH64, and the base for amd64", file(modules+"c.ko", 0o644, exttest.Module(exttest.Release, elf.EM_AARCH64))},
		{modules + "c.ko", "truncated", file(modules+"c.ko", 0o644, module()[:100])},
		{modules + "c.ko", "needs the module nowhere", file(modules+"c.ko", 0o644, module("depends=b,nowhere"))},
		{"rootfs/usr/local/bin/x", "EM_AARCH64, and the base for amd64", file("rootfs/usr/local/bin/x", 0o755, program(elf.EM_AARCH64, ""))},
		{"rootfs/usr/local/bin/x", "libgone.so.1, which is not there", file("rootfs/usr/local/bin/x", 0o755, program(elf.EM_X86_64, "/lib64/ld.so", "libgone.so.1"))},
		{"rootfs/usr/local/bin/x", "/lib/ld-musl.so.1, which is not there", file("rootfs/usr/local/bin/x", 0o755, program(elf.EM_X86_64, "/lib/ld-musl.so.1"))},
		{"rootfs/usr/local/bin/tool", "libtool.so.1, which is not there (usr/local/lib/libtool.so.1 is for EM_AARCH64", file("rootfs/usr/local/lib/libtool.so.1", 0o644, program(elf.EM_AARCH64, ""))},
		{rootOf + "hello", "libc.so.6, which is not there", file(rootOf+"hello", 0o755, program(elf.EM_X86_64, "/lib64/ld.so", "libc.so.6"))},
		{"rootfs/usr/local/bin/x", "ELF", file("rootfs/usr/local/bin/x", 0o755, program(elf.EM_X86_64, "/lib64/ld.so")[:80])},
		{service, "entrypoint /helo is not in", text(service, "/hello", "/helo")},
		{service, "is not executable", file(rootOf+"hello", 0o644, nil)},
		{service, "no root file system at", text(service, "name: hello", "name: other")},
		{service, "unknown word", text(service, "restart: always", "restart: sometimes")},
		{service, `did you mean "depends"`, text(service, "depends", "depend")},
		{"rootfs/usr/local/etc/containers/zwei.yaml", "describes the service hello, as", file("rootfs/usr/local/etc/containers/zwei.yaml", 0o644, []byte(exttest.Service))},
	}
}

// TestPlanted plants each fault alone: a finding must name it and its file.
func TestPlanted(t *testing.T) {
	t.Parallel()
	known := facts(t)
	if n := len(table()); n < 30 {
		t.Fatalf("%d faults", n)
	}
	for _, p := range table() {
		ext := exttest.Sound()
		p.plant(ext)
		found := extensions.Validate(ext, known, extensions.Options{Name: "ext"})
		if found.Err() == nil || report.KindOf(found.Err()) != report.Invalid {
			t.Errorf("%s: %s: no fault in %v", p.file, p.says, found)
		}
		if !has(found, report.Fault, "ext/"+p.file, p.says) {
			t.Errorf("%s: no finding says %q:\n%v", p.file, p.says, found)
		}
	}
}

func has(fs report.Findings, s report.Severity, file, says string) bool {
	for _, f := range fs {
		if f.Severity == s && f.File == file && strings.Contains(f.String(), says) {
			return true
		}
	}
	return false
}

// TestAllAtOnce plants many faults that do not hide each other.
func TestAllAtOnce(t *testing.T) {
	t.Parallel()
	ext := exttest.Sound()
	want := map[string]string{}
	for _, p := range table() {
		if strings.HasPrefix(p.file, "rootfs/usr/local") && p.file != service && want[p.file] == "" && !strings.HasPrefix(p.file, rootOf) && !strings.Contains(p.file, "tool") {
			want[p.file] = p.says
			p.plant(ext)
		}
	}
	found := extensions.Validate(ext, facts(t), extensions.Options{})
	for file, says := range want {
		if !has(found, report.Fault, file, says) {
			t.Errorf("%s: no finding says %q", file, says)
		}
	}
	if len(want) < 8 || len(found) != len(want) {
		t.Errorf("%d findings for %d faults:\n%v", len(found), len(want), found)
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	const bind = "\n  mounts: [{source: /lib, destination: /lib, type: bind, options: [rbind]}]\n  args:"
	for _, p := range []planted{
		{modules[:len(modules)-6] + "modules.dep", "is ignored", file(modules[:len(modules)-6]+"modules.dep", 0o644, nil)},
		{"rootfs/usr/lib/firmware/x.ko", "does not look for modules here", file("rootfs/usr/lib/firmware/x.ko", 0o644, nil)},
		{"rootfs/usr/local/etc/containers/README", "is ignored", file("rootfs/usr/local/etc/containers/README", 0o644, nil)},
		{"rootfs/usr/local/lib/plugin.so", "libgone.so.1, which is not there", file("rootfs/usr/local/lib/plugin.so", 0o644, exttest.Program(elf.EM_X86_64, "", "libgone.so.1"))},
		{"rootfs/usr/local/bin/x", "32-bit", file("rootfs/usr/local/bin/x", 0o755, exttest.Program(elf.EM_386, ""))},
		{rootOf + "hello", "only if it is mounted there", func(t *tree.Tree) {
			file(rootOf+"hello", 0o755, exttest.Program(elf.EM_X86_64, "/lib64/ld.so", "libc.so.6"))(t)
			text(service, "\n  args:", bind)(t)
		}},
	} {
		ext := exttest.Sound()
		p.plant(ext)
		found := extensions.Validate(ext, facts(t), extensions.Options{})
		if found.Err() != nil || !has(found, report.Warning, p.file, p.says) {
			t.Errorf("%s: no warning says %q:\n%v", p.file, p.says, found)
		}
	}
	ext := exttest.Sound()
	text(service, "/hello", "/usr/bin/elsewhere")(ext)
	text(service, "\n  args:", bind)(ext)
	if found := extensions.Validate(ext, facts(t), extensions.Options{}); len(found) > 0 {
		t.Errorf("an entrypoint that may be mounted: %v", found)
	}
}

// TestUnknownIsSaid: what cannot be checked is said, and is no fault.
func TestUnknownIsSaid(t *testing.T) {
	t.Parallel()
	found := extensions.Validate(exttest.Sound(), extensions.Facts{}, extensions.Options{})
	if found.Err() != nil {
		t.Error(found)
	}
	for file, says := range map[string]string{
		"manifest.yaml":             "not checked: version constraint >= v1.9.0, as the version of the system is unknown",
		"rootfs":                    "not checked: the machine of 3 programs and libraries, as the architecture is unknown",
		"rootfs/usr/lib/modules":    "modules for kernel " + exttest.Release + ", as the base's kernel release is unknown",
		"rootfs/usr/lib/modules ":   "not checked: that it has the modules base_mod, as",
		"rootfs/usr/local/bin/tool": "not checked: that there is libc.so.6",
	} {
		if !has(found, report.Warning, strings.TrimSpace(file), says) {
			t.Errorf("%s: no warning says %q:\n%v", file, says, found)
		}
	}
}

func TestSigned(t *testing.T) {
	t.Parallel()
	ext := exttest.Sound()
	signed := append(exttest.Module(exttest.Release, elf.EM_X86_64), exttest.Signature...)
	ext.File(modules+"b.ko", 0o644, blob.Bytes(signed))
	found := extensions.Validate(ext, facts(t), extensions.Options{SignedModules: true})
	if len(found) != 1 || !has(found, report.Fault, modules+"a.ko", "is not signed") {
		t.Errorf("%v", found)
	}
}

// TestEarlier has another extension bring what this one lacks.
func TestEarlier(t *testing.T) {
	t.Parallel()
	ext, earlier := exttest.Sound(), &tree.Tree{}
	for _, p := range []string{"rootfs/usr/local/lib/libtool.so.1", modules + "b.ko"} {
		n := *ext.Get(p)
		if err := earlier.Add(n); err != nil {
			t.Fatal(err)
		}
		ext.Remove(p)
	}
	known := facts(t)
	if found := extensions.Validate(ext, known, extensions.Options{}); len(found) != 2 || found.Err() == nil {
		t.Errorf("without the earlier one: %v", found)
	}
	known.Earlier = []*tree.Tree{earlier}
	if found := extensions.Validate(ext, known, extensions.Options{}); len(found) != 0 {
		t.Errorf("%v", found)
	}
}

// TestLibrariesInTheCache: a library that only the linker's cache will tell of is there for programs of the machine, by the
// name in it and not by that of its file; containers have nothing of it.
func TestLibrariesInTheCache(t *testing.T) {
	t.Parallel()
	ext, earlier := exttest.Sound(), exttest.New("earlier", "1")
	program := exttest.Program(elf.EM_X86_64, "/lib64/ld.so", "libodd.so.7", "libc.so.6")
	ext.File("rootfs/usr/local/bin/odd", 0o755, blob.Bytes(program))
	earlier.File("rootfs/usr/local/odd/lib/libodd.so.7.1", 0o644, blob.Bytes(exttest.Library(elf.EM_X86_64, "libodd.so.7")))
	known := facts(t)
	known.Earlier = []*tree.Tree{earlier}
	if found := extensions.Validate(ext, known, extensions.Options{}); len(found) != 0 {
		t.Errorf("%v", found)
	}
	ext.File("rootfs/usr/local/lib/containers/hello/hello", 0o755, blob.Bytes(program))
	if err := extensions.Validate(ext, known, extensions.Options{}).Err(); err == nil || !strings.Contains(err.Error(), "containers/hello/hello: is linked to libodd.so.7") {
		t.Errorf("of a container: %v", err)
	}
}

type broken struct{}

func (broken) Size() int64                       { return 1000 }
func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("disk is on fire") }

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, p := range []string{"manifest.yaml", service, modules + "a.ko", "rootfs/usr/local/bin/tool"} {
		ext := exttest.Sound()
		ext.File(p, 0o755, broken{})
		if found := extensions.Validate(ext, facts(t), extensions.Options{}); !has(found, report.Fault, p, "on fire") {
			t.Errorf("%s: %v", p, found)
		}
	}
}

func TestManyFindings(t *testing.T) {
	t.Parallel()
	ext := exttest.Sound()
	for i := range 2000 {
		ext.File(fmt.Sprintf("rootfs/opt/%d", i), 0o666, nil)
	}
	found := extensions.Validate(ext, facts(t), extensions.Options{})
	if len(found) != 501 || !strings.Contains(found[500].Message, "3500 findings more") {
		t.Errorf("%d findings, the last %v", len(found), found[len(found)-1])
	}
}

func TestSummarize(t *testing.T) {
	t.Parallel()
	s, err := extensions.Summarize("ext", exttest.Sound())
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	const want = `name      hello
version   1.2.3
author    somebody
for       >= v1.9.0
about     Says hello.
holds     9 files, 1986 bytes
module    a, kernel 6.1.0-1-test, not signed
module    b, kernel 6.1.0-1-test, not signed
firmware  dev.bin
service   hello runs /hello
`
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
	ext := exttest.Sound()
	ext.File(modules+"a.ko", 0o644, nil)
	_, err = extensions.Summarize("ext", ext)
	reporttest.Want(t, err, report.Invalid, "ext/"+modules+"a.ko")
}

func FuzzValidate(f *testing.F) {
	f.Add("rootfs/usr/local/bin/x", []byte(exttest.Program(elf.EM_X86_64, "/lib64/ld.so", "libc.so.6")), uint32(0o100755), "")
	f.Add(modules+"a.ko", []byte(exttest.Module(exttest.Release, elf.EM_X86_64, "depends=x")), uint32(0o100644), "")
	f.Add(service, []byte(exttest.Service), uint32(0o100644), "")
	f.Add("manifest.yaml", []byte(exttest.Manifest), uint32(0o100644), "")
	f.Add("rootfs/usr/local/lib/containers/hello", []byte(nil), uint32(0o120777), "../../..")
	known := facts(f)
	f.Fuzz(func(t *testing.T, p string, content []byte, mode uint32, target string) {
		ext := exttest.Sound()
		if ext.Add(tree.Node{Path: p, Mode: tree.FileMode(mode), Content: blob.Bytes(content), Link: target}) != nil {
			return
		}
		extensions.Validate(ext, known, extensions.Options{})
		extensions.Validate(ext, extensions.Facts{Earlier: []*tree.Tree{exttest.Sound()}}, extensions.Options{})
		extensions.Summarize("x", ext)
	})
}
