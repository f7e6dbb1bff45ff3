package elf_test

import (
	"bytes"
	goelf "debug/elf"
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/elf"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// spec describes an ELF file of 64 bits, or 32 with class32, as far as a linker cares.
type spec struct {
	class32               bool
	machine               goelf.Machine // x86-64 if 0
	order                 binary.ByteOrder
	interp, soname        string
	needed                []string
	rpath, runpath        string
	noStrings, noDynamics bool
}

// base is where the files are loaded, so that an address is never an offset.
const base = 0x10000

func (s spec) build() []byte {
	if s.order == nil {
		s.order = binary.LittleEndian
	}
	if s.machine == 0 {
		s.machine = goelf.EM_X86_64
	}
	headerSize := 64 + 3*56
	if s.class32 {
		headerSize = 52 + 3*32
	}
	var dyn, table bytes.Buffer
	entry := func(tag goelf.DynTag, v uint64) {
		if s.class32 {
			binary.Write(&dyn, s.order, []uint32{uint32(tag), uint32(v)})
		} else {
			binary.Write(&dyn, s.order, []uint64{uint64(tag), v})
		}
	}
	table.WriteByte(0)
	text := func(tag goelf.DynTag, v string) {
		entry(tag, uint64(table.Len()))
		table.WriteString(v + "\x00")
	}
	for _, n := range s.needed {
		text(goelf.DT_NEEDED, n)
	}
	for tag, v := range map[goelf.DynTag]string{goelf.DT_SONAME: s.soname, goelf.DT_RPATH: s.rpath, goelf.DT_RUNPATH: s.runpath} {
		if v != "" {
			text(tag, v)
		}
	}
	interp := []byte(s.interp + "\x00")
	interpAt := headerSize
	tableAt := interpAt + len(interp)
	if !s.noStrings {
		entry(goelf.DT_STRTAB, uint64(base+tableAt))
		entry(goelf.DT_STRSZ, uint64(table.Len()))
	}
	entry(goelf.DT_NULL, 0)
	dynAt := tableAt + table.Len()
	end := dynAt + dyn.Len()

	var out bytes.Buffer
	segments := []struct {
		kind     goelf.ProgType
		off, len int
	}{{goelf.PT_LOAD, 0, end}, {goelf.PT_INTERP, interpAt, len(interp)}, {goelf.PT_DYNAMIC, dynAt, dyn.Len()}}
	if s.interp == "" {
		segments[1].kind = goelf.PT_NULL
	}
	if s.noDynamics {
		segments[2].kind = goelf.PT_NULL
	}
	ident := [16]byte{0x7f, 'E', 'L', 'F', byte(goelf.ELFCLASS64), byte(goelf.ELFDATA2LSB), 1}
	if s.order == binary.BigEndian {
		ident[goelf.EI_DATA] = byte(goelf.ELFDATA2MSB)
	}
	if s.class32 {
		ident[goelf.EI_CLASS] = byte(goelf.ELFCLASS32)
		binary.Write(&out, s.order, goelf.Header32{Ident: ident, Type: uint16(goelf.ET_DYN), Machine: uint16(s.machine), Phoff: 52, Phentsize: 32, Phnum: 3})
		for _, g := range segments {
			binary.Write(&out, s.order, goelf.Prog32{Type: uint32(g.kind), Off: uint32(g.off), Vaddr: uint32(base + g.off), Filesz: uint32(g.len)})
		}
	} else {
		binary.Write(&out, s.order, goelf.Header64{Ident: ident, Type: uint16(goelf.ET_DYN), Machine: uint16(s.machine), Phoff: 64, Phentsize: 56, Phnum: 3})
		for _, g := range segments {
			binary.Write(&out, s.order, goelf.Prog64{Type: uint32(g.kind), Off: uint64(g.off), Vaddr: uint64(base + g.off), Filesz: uint64(g.len)})
		}
	}
	return slices.Concat(out.Bytes(), interp, table.Bytes(), dyn.Bytes())
}

func TestNeeded(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]spec{
		"64 bits":     {interp: "/lib64/ld.so", soname: "libx.so.1", needed: []string{"liba.so", "libb.so"}, rpath: "/r:$ORIGIN", runpath: "/u"},
		"32 bits":     {class32: true, machine: goelf.EM_386, interp: "/lib/ld.so", needed: []string{"liba.so", "libb.so"}},
		"big endian":  {order: binary.BigEndian, machine: goelf.EM_S390, needed: []string{"liba.so", "libb.so"}},
		"big 32 bits": {order: binary.BigEndian, class32: true, machine: goelf.EM_PPC, soname: "self", runpath: "/a:/b"},
	} {
		got, err := elf.Needed(blob.Bytes(s.build()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		split := func(p string) []string {
			if p == "" {
				return nil
			}
			return strings.Split(p, ":")
		}
		if got.Interp != s.interp || got.Soname != s.soname || !slices.Equal(got.Needed, s.needed) ||
			!slices.Equal(got.RPath, split(s.rpath)) || !slices.Equal(got.RunPath, split(s.runpath)) {
			t.Errorf("%s: got %+v", name, got)
		}
		if s.machine != 0 && got.Machine != s.machine || (got.Class == goelf.ELFCLASS32) != s.class32 || got.Type != goelf.ET_DYN {
			t.Errorf("%s: got %v %v %v", name, got.Machine, got.Class, got.Type)
		}
	}
	if got, err := elf.Needed(blob.Bytes(spec{noDynamics: true}.build())); err != nil || got.Needed != nil {
		t.Errorf("static: %+v, %v", got, err)
	}
	if got, err := elf.Needed(blob.Bytes(spec{noStrings: true}.build())); err != nil || got.Needed != nil {
		t.Errorf("static and position independent: %+v, %v", got, err)
	}
}

func TestNeededRefuses(t *testing.T) {
	t.Parallel()
	good := spec{interp: "/lib64/ld.so", needed: []string{"liba.so"}}.build()
	change := func(off int, v ...byte) []byte {
		p := bytes.Clone(good)
		copy(p[off:], v)
		return p
	}
	const dynamicHeader = 64 + 2*56 // the third program header
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "not an ELF file: 0 bytes", nil},
		{"script", `starts with "#!/b"`, []byte("#!/bin/sh\nexit 0\n")},
		{"class", "unknown class 3", change(4, 3)},
		{"order", "unknown byte order 0", change(5, 0)},
		{"header cut", "cut short", good[:40]},
		{"program headers cut", "cut short", good[:200]},
		{"program headers far", "cut short", change(32, 0, 0, 0, 0, 0, 0, 0, 0xff)},
		{"header size", "program headers of 55 bytes", change(54, 55)},
		{"too many headers", "65535 program headers", change(56, 0xff, 0xff)},
		{"dynamic section far", "cut short", change(dynamicHeader+8, 0, 0, 0, 0x7f)},
		{"dynamic section long", "dynamic section of", change(dynamicHeader+32, 0, 0, 0, 0x7f)},
		{"strings nowhere", "nothing is loaded", change(64+16, 0, 0, 0, 0x7f)},
		{"strings too few", "string table", bytes.Replace(good, []byte{byte(goelf.DT_STRSZ), 0, 0, 0, 0, 0, 0, 0, 9}, []byte{byte(goelf.DT_STRSZ), 0, 0, 0, 0, 0, 0, 0, 1}, 1)},
		{"string without end", "does not end", change(64+56+32, 3)}, // of PT_INTERP
		{"no string table", "nothing is loaded", spec{needed: []string{"x"}, noStrings: true}.build()},
	} {
		_, err := elf.Needed(blob.Bytes(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) == report.Internal {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

func add(tr *tree.Tree, p string, s spec) { tr.File(p, 0o755, blob.Bytes(s.build())) }

// distribution is a usr-merged tree like Debian's.
func distribution() *tree.Tree {
	tr := &tree.Tree{}
	tr.Symlink("lib", "usr/lib")
	tr.Symlink("lib64", "usr/lib64")
	tr.Symlink("usr/lib64/ld-linux-x86-64.so.2", "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	add(tr, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", spec{soname: "ld-linux-x86-64.so.2"})
	add(tr, "usr/lib/x86_64-linux-gnu/libc.so.6", spec{soname: "libc.so.6", needed: []string{"ld-linux-x86-64.so.2"}})
	tr.Symlink("usr/lib/x86_64-linux-gnu/libz.so.1", "libz.so.1.2.13")
	add(tr, "usr/lib/x86_64-linux-gnu/libz.so.1.2.13", spec{soname: "libz.so.1", needed: []string{"libc.so.6"}})
	return tr
}

func program(s spec) spec {
	s.interp = "/lib64/ld-linux-x86-64.so.2"
	return s
}

func TestClosure(t *testing.T) {
	t.Parallel()
	ld := []string{"lib64", "usr/lib64/ld-linux-x86-64.so.2", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}
	libc := append(slices.Clone(ld), "lib", "usr/lib/x86_64-linux-gnu/libc.so.6")
	for _, c := range []struct {
		name  string
		setup func(*tree.Tree)
		opts  elf.Options
		want  []string
	}{
		{"static", func(tr *tree.Tree) { add(tr, "p", spec{noDynamics: true}) }, elf.Options{}, nil},
		{"interpreter only", func(tr *tree.Tree) { add(tr, "p", program(spec{})) }, elf.Options{}, ld},
		{"links", func(tr *tree.Tree) { add(tr, "p", program(spec{needed: []string{"libz.so.1"}})) }, elf.Options{},
			append(slices.Clone(libc), "usr/lib/x86_64-linux-gnu/libz.so.1", "usr/lib/x86_64-linux-gnu/libz.so.1.2.13")},
		{"runpath with origin", func(tr *tree.Tree) {
			add(tr, "opt/bin/real", program(spec{needed: []string{"libp.so"}, runpath: "relative::$LIB/x:${ORIGIN}/../lib"}))
			tr.Symlink("p", "opt/bin/real")
			add(tr, "opt/lib/libp.so", spec{})
		}, elf.Options{}, append(slices.Clone(ld), "opt/bin/real", "opt/lib/libp.so")},
		{"runpath is not inherited, rpath is", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"libp.so"}, rpath: "/opt"}))
			add(tr, "opt/libp.so", spec{needed: []string{"libq.so"}})
			add(tr, "opt/libq.so", spec{})
		}, elf.Options{}, append(slices.Clone(ld), "opt/libp.so", "opt/libq.so")},
		{"rpath is ignored beside runpath", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"libp.so"}, rpath: "/old", runpath: "/new"}))
			add(tr, "old/libp.so", spec{})
			add(tr, "new/libp.so", spec{})
		}, elf.Options{}, append(slices.Clone(ld), "new/libp.so")},
		{"another machine is passed over", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"libp.so"}, runpath: "/a:/b:/c:/d"}))
			add(tr, "a/libp.so", spec{machine: goelf.EM_AARCH64})
			add(tr, "b/libp.so", spec{class32: true, machine: goelf.EM_X86_64})
			tr.File("c/libp.so", 0o644, blob.String("GROUP ( /lib/libp.so.1 )"))
			add(tr, "d/libp.so", spec{})
		}, elf.Options{}, append(slices.Clone(ld), "d/libp.so")},
		{"configuration", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"liba.so", "libb.so", "libd.so"}}))
			tr.File("etc/ld.so.conf", 0o644, blob.String("# a comment\n/conf/a: /conf/b # more\ninclude ld.so.conf.d/*.conf none/*\nhwcap 0 x\n"))
			tr.File("etc/ld.so.conf.d/d.conf", 0o644, blob.String("include /etc/ld.so.conf\n/conf/d\nrelative\n"))
			tr.File("etc/ld.so.conf.d/off", 0o644, blob.String("/off\n"))
			add(tr, "conf/a/liba.so", spec{})
			add(tr, "conf/b/libb.so", spec{})
			add(tr, "conf/d/libd.so", spec{})
			add(tr, "off/libd.so", spec{})
		}, elf.Options{}, append(slices.Clone(ld), "conf/a/liba.so", "conf/b/libb.so", "conf/d/libd.so")},
		{"library path", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"libp.so"}, runpath: "/run"}))
			add(tr, "run/libp.so", spec{})
			add(tr, "first/libp.so", spec{})
		}, elf.Options{LibraryPath: []string{"/first"}}, append(slices.Clone(ld), "first/libp.so")},
		{"a loaded library satisfies by its name", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"/opt/strange", "libq.so"}, runpath: "/opt"}))
			add(tr, "opt/strange", spec{soname: "libonly.so"})
			add(tr, "opt/libq.so", spec{needed: []string{"libonly.so"}})
		}, elf.Options{}, append(slices.Clone(ld), "opt/strange", "opt/libq.so")},
		{"a circle", func(tr *tree.Tree) {
			add(tr, "p", program(spec{needed: []string{"liba.so"}}))
			add(tr, "usr/lib/liba.so", spec{needed: []string{"libb.so"}})
			add(tr, "usr/lib/libb.so", spec{needed: []string{"liba.so"}})
		}, elf.Options{}, append(slices.Clone(ld), "lib", "usr/lib/liba.so", "usr/lib/libb.so")},
	} {
		tr := distribution()
		c.setup(tr)
		got, err := elf.Closure(tr, []string{"p"}, c.opts)
		want := append(c.want, "p")
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", c.name, got, err, want)
		}
		copied := &tree.Tree{}
		for _, p := range got {
			if err := copied.Add(*tr.Get(p)); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		if c.name == "configuration" {
			continue // without its files the copy has other folders
		}
		if again, err := elf.Closure(copied, []string{"/p"}, c.opts); err != nil || !slices.Equal(again, want) {
			t.Errorf("%s: closure of the copy is %q, %v; want %q", c.name, again, err, want)
		}
	}
}

func TestClosureNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	tr := distribution()
	add(tr, "bin/a", program(spec{needed: []string{"libgone.so", "libc.so.6"}}))
	add(tr, "bin/b", program(spec{needed: []string{"libgone.so", "libp.so", "relative/lib.so"}}))
	add(tr, "usr/lib/libp.so", spec{needed: []string{"libarm.so"}})
	add(tr, "usr/lib/libarm.so", spec{machine: goelf.EM_AARCH64})
	add(tr, "bin/musl", spec{interp: "/lib/ld-musl.so.1"})
	_, err := elf.Closure(tr, []string{"bin/a", "bin/b", "bin/musl"}, elf.Options{})
	want := "missing libraries: /lib/ld-musl.so.1, needed by bin/musl; " +
		"libarm.so, needed by usr/lib/libp.so (usr/lib/libarm.so is for EM_AARCH64, ELFCLASS64, not EM_X86_64, ELFCLASS64); " +
		"libgone.so, needed by bin/a, bin/b; relative/lib.so, needed by bin/b"
	if err == nil || err.Error() != want || report.KindOf(err) != report.NotFound {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for p, want := range map[string]string{"bin/none": "does not exist", "bin": "bin: not a file", "etc/script": "etc/script: not an ELF file"} {
		tr.File("etc/script", 0o755, blob.String("#!/bin/sh\nexec true\n"))
		if _, err := elf.Closure(tr, []string{p}, elf.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("root %s: %v; want %q", p, err, want)
		}
	}
}

func FuzzNeeded(f *testing.F) {
	f.Add(spec{interp: "/lib64/ld.so", soname: "libx.so.1", needed: []string{"liba.so", "libb.so"}, rpath: "/r:$ORIGIN", runpath: "/u"}.build())
	f.Add(spec{class32: true, order: binary.BigEndian, needed: []string{"liba.so"}}.build())
	f.Fuzz(func(t *testing.T, p []byte) {
		info, err := elf.Needed(blob.Bytes(p))
		if err != nil {
			return
		}
		tr := distribution()
		tr.File("p", 0o755, blob.Bytes(p))
		if paths, err := elf.Closure(tr, []string{"p"}, elf.Options{}); err == nil && len(info.Needed) > 0 && len(paths) < 2 {
			t.Fatalf("needs %q, closure is %q", info.Needed, paths)
		}
	})
}

func FuzzConf(f *testing.F) {
	f.Add("include ld.so.conf.d/*.conf\n/usr/local/lib,/x", "include [/a\n:/conf")
	f.Fuzz(func(t *testing.T, main, more string) {
		tr := distribution()
		tr.File("etc/ld.so.conf", 0o644, blob.String(main))
		tr.File("etc/ld.so.conf.d/more.conf", 0o644, blob.String(more))
		add(tr, "p", program(spec{needed: []string{"libc.so.6"}}))
		if _, err := elf.Closure(tr, []string{"p"}, elf.Options{}); err != nil && len(main) < 60000 && len(more) < 60000 {
			t.Fatal(err)
		}
	})
}
