package pe

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// ukiSections are what a UKI adds, with lengths on, below and above a page.
func ukiSections() []Section {
	return []Section{
		{".osrel", blob.String("ID=bootwright\nVERSION_ID=1\n")},
		{".cmdline", blob.String("console=ttyS0 quiet\x00")},
		{".uname", blob.String("6.1.0-56-amd64")},
		{".initrd", blob.Bytes(bytes.Repeat([]byte("initrd!!"), 1<<12))},
		{".linux", blob.Bytes(bytes.Repeat([]byte("vmlinuz"), 12345))},
	}
}

func format(t testing.TB, stub blob.Blob, sections []Section) *blob.Image {
	t.Helper()
	im, err := Format(stub, sections, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func TestFormatThenRead(t *testing.T) {
	t.Parallel()
	for name, stub := range stubs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := Read(stub)
			if err != nil {
				t.Fatal(err)
			}
			im := format(t, stub, ukiSections())
			after, err := Read(im)
			if err != nil {
				t.Fatal(err)
			}
			if before.IsUKI() || !after.IsUKI() || after.Machine != AMD64 || after.EntryPoint != before.EntryPoint || after.Signature != nil {
				t.Errorf("before %+v\nafter %+v", before, after)
			}
			added := after.Sections[len(before.Sections):]
			if len(added) != len(ukiSections()) {
				t.Fatalf("%d sections were added", len(added))
			}
			for i, want := range append(sectionsOf(before), ukiSections()...) {
				if got := after.Sections[i]; got.Name != want.Name || !same(t, got.Content, want.Content) {
					t.Errorf("section %d is %q with %d bytes, want %q with %d", i, got.Name, got.Content.Size(), want.Name, want.Content.Size())
				}
			}
			checkPlacement(t, im, after, added)
		})
	}
}

func sectionsOf(f *File) []Section {
	var out []Section
	for _, s := range f.Sections {
		out = append(out, s.Section)
	}
	return out
}

// checkPlacement holds the added sections against the rules that loaders, signers and sharing depend on.
func checkPlacement(t *testing.T, im *blob.Image, f *File, added []FileSection) {
	t.Helper()
	for i, s := range f.Sections {
		if i > 0 && s.Offset != f.Sections[i-1].Offset+int64(f.Sections[i-1].RawSize) {
			t.Errorf("gap in the file before section %s", s.Name)
		}
		if i > 0 && s.VMA < f.Sections[i-1].VMA+f.Sections[i-1].VirtualSize {
			t.Errorf("section %s overlaps the one before it in memory", s.Name)
		}
	}
	for i, s := range added {
		want := ukiSections()[i].Content.Size()
		if s.Offset%4096 != 0 || s.VMA%4096 != 0 || int64(s.VirtualSize) != want || int64(s.RawSize) != blob.Align(want, 4096) || s.Characteristics != 0x40000040 {
			t.Errorf("section %s: %+v", s.Name, s)
		}
	}
	last := f.Sections[len(f.Sections)-1]
	if im.Size() != last.Offset+int64(last.RawSize) {
		t.Errorf("image has %d bytes", im.Size())
	}
	h, err := readHeader(im)
	if err != nil {
		t.Fatal(err)
	}
	end := int64(last.VMA) + int64(last.VirtualSize)
	if size := int64(h.opt32(optImageSize)); size != blob.Align(end, int64(h.opt32(optSectionAlignment))) {
		t.Errorf("SizeOfImage %#x, memory ends at %#x", size, end)
	}
	if h.u32(h.coff+coffSymbolTable) != 0 || h.u32(h.coff+coffSymbols) != 0 || h.opt32(optCheckSum) != 0 {
		t.Error("symbols or checksum of the stub are still there")
	}
}

func same(t testing.TB, a, b blob.Blob) bool {
	t.Helper()
	at, err := blob.Equal(context.Background(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	return at < 0
}

// TestShares proves that content is placed by reference: an ISO 9660 file can point into the UKI.
func TestShares(t *testing.T) {
	t.Parallel()
	s := ukiSections()
	im := format(t, blob.Bytes(petest.Stub()), s)
	for _, i := range []int{3, 4} {
		off, ok := blob.Locate(im, s[i].Content)
		if !ok || off%4096 != 0 {
			t.Errorf("%s found at %d, %v", s[i].Name, off, ok)
		}
	}
	var names []string
	for _, e := range im.Extents() {
		names = append(names, e.Name)
	}
	if got := strings.Join(names, " "); got != "headers stub .osrel .cmdline .uname .initrd .linux" {
		t.Errorf("extents %s", got)
	}
}

func TestFormatDropsSignature(t *testing.T) {
	t.Parallel()
	const security = 0x98 + 112 + 4*8
	p := change(security, 0xc00, 4)
	p[security+4] = 64
	if f, err := Read(blob.Bytes(p)); err != nil || f.Signature == nil || f.Signature.Size() != 64 {
		t.Fatalf("signed stub: %+v, %v", f, err)
	}
	f, err := Read(format(t, blob.Bytes(p), ukiSections()))
	if err != nil || f.Signature != nil {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestFormatKeepsVirtualSizeOfPaddedSection(t *testing.T) {
	t.Parallel()
	f, err := Read(format(t, blob.Bytes(change(0x188+40+8, 0, 4)), ukiSections()))
	if err != nil || f.Sections[1].VirtualSize != 0x200 || f.Sections[2].VMA != 0x5000 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestFormatAlign(t *testing.T) {
	t.Parallel()
	for align, want := range map[int64]int64{512: 0xc00, 65536: 65536, 2: 0xc00} {
		im, err := Format(blob.Bytes(petest.Stub()), ukiSections(), Options{Align: align})
		if err != nil {
			t.Fatal(err)
		}
		if f, err := Read(im); err != nil || f.Sections[2].Offset != want {
			t.Errorf("align %d: first section at %d, %v", align, f.Sections[2].Offset, err)
		}
	}
}

// The arm64 stub of systemd has instructions that do nothing where amd64's has zeros.
func TestFormatPaddedHeaders(t *testing.T) {
	t.Parallel()
	const tableEnd = 0x188 + 80
	stub := petest.Stub()
	for at := tableEnd; at < 0x400; at += 4 {
		binary.LittleEndian.PutUint32(stub[at:], 0xd503201f)
	}
	got, want := format(t, blob.Bytes(stub), ukiSections()), format(t, blob.Bytes(petest.Stub()), ukiSections())
	tableOf := blob.Slice(got, 0, tableEnd+int64(len(ukiSections()))*sectionSize)
	if !same(t, tableOf, blob.Slice(want, 0, tableOf.Size())) {
		t.Error("the section headers keep something of the padding that was there")
	}
	stub[tableEnd] = 0
	if _, err := Format(blob.Bytes(stub), ukiSections(), Options{}); err == nil {
		t.Error("room that holds something else was taken")
	}
}

func TestFormatRefuses(t *testing.T) {
	t.Parallel()
	stub, one := petest.Stub(), []Section{{".linux", blob.String("kernel")}}
	many := make([]Section, 16)
	for i := range many {
		many[i] = Section{fmt.Sprintf(".s%d", i), blob.String("x")}
	}
	for _, tt := range []struct {
		name     string
		stub     []byte
		sections []Section
		o        Options
		want     string
	}{
		{"no PE file", []byte("#!/bin/sh\n"), one, Options{}, "not a PE file: no MZ"},
		{"MZ only", append([]byte("MZ"), make([]byte, 200)...), one, Options{}, "no PE signature at offset 0"},
		{"32-bit", change(0x98, 0x10b, 2), one, Options{}, "32-bit"},
		{"no room", stub, many, Options{}, "efi stub without room for 16 more section headers"},
		{"used room", change(0x188+80, 1, 1), one, Options{}, "efi stub without room for 1 more section headers"},
		{"truncated", stub[:0x900], one, Options{}, "truncated: its sections end at offset 3072"},
		{"no sections", change(0x86, 0, 2), one, Options{}, "0 sections"},
		{"headers that overlap a section", change(0x98+60, 0x600, 4), one, Options{}, `section ".text" at offset 1024 lies inside the headers`},
		{"section in the stub", stub, []Section{{".sbat", blob.String("x")}}, Options{}, `".sbat" is there already`},
		{"section twice", stub, append(one, one...), Options{}, `".linux" is there already`},
		{"long name", stub, []Section{{".commandline", blob.String("x")}}, Options{}, "not 1 to 8 printable"},
		{"no name", stub, []Section{{"", blob.String("x")}}, Options{}, "not 1 to 8 printable"},
		{"nil content", stub, []Section{{".linux", nil}}, Options{}, `".linux" is empty`},
		{"empty content", stub, []Section{{".linux", blob.Zeros(0)}}, Options{}, `".linux" is empty`},
		{"section over 4 GiB", stub, []Section{{".initrd", blob.Zeros(5 << 30)}}, Options{}, "4 GiB"},
		{"image over 4 GiB", stub, []Section{{".initrd", blob.Zeros(3 << 30)}, {".linux", blob.Zeros(1 << 30)}}, Options{}, `".linux" of 1073741824 bytes takes the image to 4 GiB`},
		{"alignment", stub, one, Options{Align: 3000}, "3000 of pe sections is not a power of two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Format(blob.Bytes(tt.stub), tt.sections, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if k := report.KindOf(err); k != report.Invalid && k != report.Unsupported {
				t.Errorf("error of kind %v", k)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const security = 0x98 + 112 + 4*8
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":                  {nil, "no MZ"},
		"header behind the end":  {change(0x3c, 0xfffffff0, 4), "no PE signature at offset 4294967280"},
		"too many sections":      {change(0x86, 0xffff, 2), "65535 sections do not fit"},
		"short optional header":  {change(0x80+20, 16, 2), "16 bytes of optional header"},
		"unknown magic":          {change(0x98, 0x107, 2), "unknown magic 0x107"},
		"section behind the end": {change(0x188+20, 0x10000, 4), `section ".text" at offset 65536`},
		"signature behind the end": {func() []byte {
			p := change(security, 0xc00, 4)
			p[security+6] = 1
			return p
		}(), "signature at offset 3072, 65536 bytes, leaves"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := Read(blob.Bytes(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

func TestJudgedByBinutils(t *testing.T) {
	t.Parallel()
	for name, stub := range stubs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			im := format(t, stub, ukiSections())
			path := oracle.File(t, im)
			list := oracle.Run(t, "objdump", "-h", path)
			f, err := Read(im)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range f.Sections {
				line := fmt.Sprintf(`(?m)^ +\d+ %s +%08x +%016x +%016x +%08x `, regexp.QuoteMeta(s.Name), s.Content.Size(), s.VMA, s.VMA, s.Offset)
				if !regexp.MustCompile(line).MatchString(list) {
					t.Errorf("objdump does not show %s as %s:\n%s", s.Name, line, list)
				}
			}
			for _, s := range ukiSections() {
				dump := filepath.Join(t.TempDir(), "section")
				oracle.Run(t, "objcopy", "--dump-section", s.Name+"="+dump, path, filepath.Join(t.TempDir(), "copy"))
				got, err := os.ReadFile(dump)
				if err != nil {
					t.Fatal(err)
				}
				if !same(t, blob.Bytes(got), s.Content) {
					t.Errorf("objcopy reads another %s", s.Name)
				}
			}
		})
	}
}

// TestJudgedBySbverify has sbsign sign a UKI and sbverify check it; both complain about gaps between sections.
func TestJudgedBySbverify(t *testing.T) {
	t.Parallel()
	key, cert := keyPair(t)
	for name, stub := range stubs(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := oracle.File(t, format(t, stub, ukiSections()))
			if out, _ := oracle.TryRun(t, "sbverify", "--list", path); !strings.Contains(out, "No signature table present") || strings.Contains(out, "warning") {
				t.Errorf("sbverify --list says %s", out)
			}
			signed := filepath.Join(t.TempDir(), "signed.efi")
			if out := oracle.Run(t, "sbsign", "--key", key, "--cert", cert, "--output", signed, path); strings.Contains(out, "warning") {
				t.Errorf("sbsign says %s", out)
			}
			if out := oracle.Run(t, "sbverify", "--cert", cert, signed); !strings.Contains(out, "Signature verification OK") {
				t.Errorf("sbverify says %s", out)
			}
			b, err := blob.OpenFile(signed)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if f, err := Read(b); err != nil || f.Signature == nil || !f.IsUKI() {
				t.Errorf("signed: %+v, %v", f, err)
			}
		})
	}
}

func keyPair(t *testing.T) (key, cert string) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("key.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k)), write("cert.pem", "CERTIFICATE", der)
}

func TestJudgedByReadpe(t *testing.T) {
	t.Parallel()
	path := oracle.File(t, format(t, blob.Bytes(petest.Stub()), ukiSections()))
	out := oracle.Run(t, "readpe", "--all", path)
	for _, want := range []string{".osrel", ".cmdlin", ".uname", ".initrd", ".linux", "IMAGE_SUBSYSTEM_EFI_APPLICATION"} { // readpe cuts names at 7
		if !strings.Contains(out, want) {
			t.Errorf("readpe does not show %s:\n%s", want, out)
		}
	}
}

func BenchmarkFormat(b *testing.B) {
	stub, sections := blob.Bytes(petest.Stub()), ukiSections()
	for b.Loop() {
		format(b, stub, sections)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(petest.Stub())
	f.Add(change(0x98, 0x10b, 2))
	f.Add(change(0x188+8, 0, 4))
	f.Fuzz(func(t *testing.T, p []byte) {
		file, err := Read(blob.Bytes(p))
		if err != nil {
			return
		}
		for _, s := range file.Sections {
			if s.Offset+s.Content.Size() > int64(len(p)) {
				t.Errorf("section %q leaves the file", s.Name)
			}
		}
	})
}

// FuzzFormat adds sections to any stub: what Format accepts, Read reads back.
func FuzzFormat(f *testing.F) {
	f.Add(petest.Stub(), "kernel", ".linux", int64(0))
	f.Add(change(0x98+36, 0x1000, 4), "kernel", ".linux", int64(512))
	f.Fuzz(func(t *testing.T, stub []byte, content, name string, align int64) {
		sections := []Section{{name, blob.String(content)}, {".last", blob.String("x" + content)}}
		im, err := Format(blob.Bytes(stub), sections, Options{Align: align})
		if err != nil {
			return
		}
		file, err := Read(im)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range file.Sections[len(file.Sections)-2:] {
			if s.Name != sections[i].Name || !same(t, s.Content, sections[i].Content) {
				t.Errorf("section %q came back as %q with %d bytes", sections[i].Name, s.Name, s.Content.Size())
			}
		}
	})
}
