package kmod

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// object is an ELF relocatable object with a .modinfo section of the fields and vermagic, and tail behind it.
func object(tail string, fields ...string) []byte {
	info := strings.Join(append(fields, "vermagic=6.1.0-1-test SMP "), "\x00") + "\x00"
	const strtab = "\x00.shstrtab\x00.modinfo\x00"
	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) }
	put(elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64),
		Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 1,
	})
	const data = 64 + 3*64
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Off: data, Size: uint64(len(strtab))})
	put(elf.Section64{Name: 11, Off: data + uint64(len(strtab)), Size: uint64(len(info))})
	b.WriteString(strtab + info + tail)
	return b.Bytes()
}

var fields = []string{
	"license=GPL", "depends=crypto-simd,libfoo", "softdep=stray pre: a b post: c-d", "softdep=pre: e",
	"alias=pci:v00001AF4d*", "alias=no such", "firmware=x/y.bin", "version=1", "parm=depth:how deep", "parmtype=depth:uint",
}

func compress(t testing.TB, suffix string, p []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var err error
	switch suffix {
	case ".ko.gz":
		w := gzip.NewWriter(&b)
		w.Write(p)
		err = w.Close()
	case ".ko.xz":
		var w *xz.Writer
		w, _ = xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&b)
		w.Write(p)
		err = w.Close()
	case ".ko.zst":
		w, _ := zstd.NewWriter(&b)
		w.Write(p)
		err = w.Close()
	default:
		b.Write(p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRead(t *testing.T) {
	for _, suffix := range []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"} {
		m, err := Read("kernel/my-mod"+suffix, blob.Bytes(compress(t, suffix, object(signatureMarker, fields...))))
		if err != nil {
			t.Errorf("%s: %v", suffix, err)
			continue
		}
		want := &Module{
			Name: "my_mod", Depends: []string{"crypto_simd", "libfoo"}, SoftPre: []string{"a", "b", "e"}, SoftPost: []string{"c-d"},
			Aliases: []string{"pci:v00001AF4d*"}, Firmware: []string{"x/y.bin"}, License: "GPL", Version: "1",
			Vermagic: "6.1.0-1-test SMP ", Signed: true,
		}
		if d := difference(m, want); d != "" {
			t.Errorf("%s: %s differ: %+v", suffix, d, m)
		}
		if m.Release() != "6.1.0-1-test" || m.Machine != elf.EM_X86_64 || m.Params["depth"] != (Param{"uint", "how deep"}) {
			t.Errorf("%s: %+v", suffix, m)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := object("", fields...)
	with := func(off int, p ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[off:], p)
		return out
	}
	bomb := compress(t, ".ko.xz", good)
	bomb[12+4] = 40 // 4 GiB of dictionary, by the first block header: size, flags, filter, length, dictionary
	for _, c := range []struct {
		name, path string
		content    []byte
		kind       report.Kind
		want       string
	}{
		{"empty", "a.ko", nil, report.Invalid, "module a.ko: ELF header"},
		{"text", "a.ko", bytes.Repeat([]byte("text"), 100), report.Invalid, "not an ELF file"},
		{"32 bit", "a.ko", with(4, 1), report.Unsupported, "only 64-bit little-endian"},
		{"big endian", "a.ko", with(5, 2), report.Unsupported, "only 64-bit little-endian"},
		{"executable", "a.ko", with(16, 2), report.Invalid, "ET_EXEC"},
		{"odd section headers", "a.ko", with(58, 40), report.Invalid, "40 bytes instead of 64"},
		{"headers beyond the end", "a.ko", with(40, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), report.Invalid, "truncated?"},
		{"no sections", "a.ko", with(60, 0, 0), report.Invalid, "section 1 of 0"},
		{"no modinfo", "a.ko", with(64+2*64, 0), report.Invalid, "not a kernel module"},
		{"truncated", "a.ko", good[:len(good)-1], report.Invalid, "module a.ko: .modinfo at"},
		{"object of another kind", "a.ko", bytes.ReplaceAll(good, []byte("vermagic"), []byte("vermouth")), report.Invalid, "no vermagic"},
		{"gzip", "a.ko.gz", good, report.Invalid, "module a.ko.gz: gzip"},
		{"truncated gzip", "a.ko.gz", compress(t, ".ko.gz", good)[:40], report.Invalid, "module a.ko.gz: decompress"},
		{"zstd", "a.ko.zst", good, report.Invalid, "module a.ko.zst"},
		{"xz", "a.ko.xz", good, report.Invalid, "module a.ko.xz"},
		{"xz bomb", "a.ko.xz", bomb, report.Invalid, "asks for a dictionary"},
		{"gzip bomb", "a.ko.gz", compress(t, ".ko.gz", make([]byte, maxModule+1)), report.Unsupported, "larger than 268435456"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(c.path, blob.Bytes(c.content))
			if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
				t.Errorf("got %v (%v), want %v with %q", err, report.KindOf(err), c.kind, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for p, want := range map[string]string{
		"kernel/net/nf-log.ko": "nf_log", "a.ko.zst": "a", "a.kobold": "a.kobold", "snd-hda": "snd_hda", "x/y.ko.bz2": "y.ko.bz2",
	} {
		if got := Name(p); got != want {
			t.Errorf("Name(%q) = %q, want %q", p, got, want)
		}
	}
	for p, want := range map[string]bool{"a.ko": true, "d/a.ko.xz": true, "a.ko.bz2": false, "a.o": false, "a": false, ".ko": false} {
		if got := IsModule(p); got != want {
			t.Errorf("IsModule(%q) = %t", p, got)
		}
	}
}

func TestScanRefusesNames(t *testing.T) {
	tr := &tree.Tree{}
	tr.File("m/a b.ko", 0o644, blob.Bytes(object("")))
	if _, err := Scan(tr, "m"); report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), "white space") {
		t.Error(err)
	}
}

func FuzzRead(f *testing.F) {
	for i, suffix := range []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"} {
		f.Add(byte(i), compress(f, suffix, object(signatureMarker, fields...)))
	}
	f.Fuzz(func(t *testing.T, kind byte, p []byte) {
		path := "a" + []string{".ko", ".ko.gz", ".ko.xz", ".ko.zst"}[kind%4]
		m, err := Read(path, blob.Bytes(p))
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("error does not name the module: %v", err)
			}
			return
		}
		NewIndex([]*Module{m}, KernelFiles{}).Files()
	})
}
