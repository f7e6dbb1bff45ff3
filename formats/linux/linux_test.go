package linux

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

const banner = "6.1.0-56-cloud-amd64 (builder@example.org) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-16)"

// bzImage is the front of an x86 kernel whose payload starts with an LZ4 magic.
func bzImage() []byte {
	p := make([]byte, 8<<10)
	le := binary.LittleEndian
	copy(p, "MZ")
	p[0x1f1] = 7 // setup code of 4 KiB
	le.PutUint16(p[0x1fe:], 0xaa55)
	copy(p[0x200:], "\xeb\x6aHdrS")
	le.PutUint16(p[0x206:], 0x20f)
	le.PutUint16(p[0x20e:], 0x400)
	p[0x211] = 1
	le.PutUint16(p[0x236:], 1)
	le.PutUint32(p[0x248:], 0x100)
	le.PutUint32(p[0x24c:], 0x80)
	copy(p[0x600:], banner+"\x00")
	copy(p[0x1100:], "\x02\x21\x4c\x18")
	return p
}

// image is an arm64 kernel with its banner at off.
func image(off int) []byte {
	p := make([]byte, off+4096)
	copy(p, "MZ")
	copy(p[56:], "ARM\x64")
	copy(p[0x300:], "Linux version %s (%s)\n")
	copy(p[off:], "Linux version "+banner+"\n\x00")
	return p
}

func zboot(compression string, payload []byte) []byte {
	p := make([]byte, 0x400, 0x400+len(payload))
	le := binary.LittleEndian
	copy(p, "MZ\x00\x00zimg")
	le.PutUint32(p[8:], 0x400)
	le.PutUint32(p[12:], uint32(len(payload)))
	copy(p[24:], compression)
	le.PutUint32(p[0x3c:], 0x40)
	copy(p[0x40:], "PE\x00\x00\x64\xaa")
	return append(p, payload...)
}

func gzipped(p []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(p)
	w.Close()
	return b.Bytes()
}

func with(p []byte, off int, text string) []byte {
	p = bytes.Clone(p)
	copy(p[off:], text)
	return p
}

func TestRead(t *testing.T) {
	t.Parallel()
	const release = "6.1.0-56-cloud-amd64"
	for _, tt := range []struct {
		name string
		file []byte
		want Kernel
	}{
		{"bzImage", bzImage(), Kernel{Format: BzImage, Arch: "amd64", Release: release, Banner: banner, EFIStub: true, Protocol: "2.15", Compression: "lz4"}},
		{"bzImage without an EFI stub", with(bzImage(), 0, "\x00\x00"), Kernel{Format: BzImage, Arch: "amd64", Release: release, Banner: banner, Protocol: "2.15", Compression: "lz4"}},
		{"32-bit bzImage", with(bzImage(), 0x236, "\x00"), Kernel{Format: BzImage, Arch: "386", Release: release, Banner: banner, EFIStub: true, Protocol: "2.15", Compression: "lz4"}},
		{"bzImage without a version", with(bzImage(), 0x20e, "\x00\x00"), Kernel{Format: BzImage, Arch: "amd64", EFIStub: true, Protocol: "2.15", Compression: "lz4"}},
		{"bzImage with a version outside its setup code", with(bzImage(), 0x20e, "\x00\x10"), Kernel{Format: BzImage, Arch: "amd64", EFIStub: true, Protocol: "2.15", Compression: "lz4"}},
		{"bzImage of 2003", with(bzImage(), 0x206, "\x03\x02"), Kernel{Format: BzImage, Arch: "386", Release: release, Banner: banner, EFIStub: true, Protocol: "2.03"}},
		{"Image", image(5000), Kernel{Format: Image, Arch: "arm64", Release: release, Banner: banner, EFIStub: true}},
		{"Image with the banner across two reads", image(1<<20 - 7), Kernel{Format: Image, Arch: "arm64", Release: release, Banner: banner, EFIStub: true}},
		{"Image without a banner", with(image(5000), 5000, "L\x00"), Kernel{Format: Image, Arch: "arm64", EFIStub: true}},
		{"zboot, gzip", zboot("gzip", gzipped(image(5000))), Kernel{Format: Zboot, Arch: "arm64", Release: release, Banner: banner, EFIStub: true, Compression: "gzip"}},
		{"zboot, broken gzip", zboot("gzip", []byte("\x1f\x8b broken")), Kernel{Format: Zboot, Arch: "arm64", EFIStub: true, Compression: "gzip"}},
		{"zboot, zstd", zboot("zstd", []byte("\x28\xb5\x2f\xfd")), Kernel{Format: Zboot, Arch: "arm64", EFIStub: true, Compression: "zstd"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := Read(blob.Bytes(tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if (k.Payload == nil) != (tt.want.Compression == "") {
				t.Errorf("payload %v, compression %q", k.Payload, k.Compression)
			}
			k.Payload = nil
			if *k != tt.want {
				t.Errorf("got  %+v\nwant %+v", *k, tt.want)
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		file []byte
		want string
		kind report.Kind
	}{
		{"nothing", nil, "not a Linux kernel", report.Invalid},
		{"text", bytes.Repeat([]byte("no kernel "), 1000), "not a Linux kernel", report.Invalid},
		{"a short bzImage", bzImage()[:0x220], "not a Linux kernel", report.Invalid},
		{"a bzImage cut in its setup code", bzImage()[:0x800], "truncated: its setup code alone has 4096", report.Invalid},
		{"a bzImage cut in its payload", bzImage()[:0x1140], "truncated: its payload at offset 4352", report.Invalid},
		{"a gzip file", gzipped(image(5000)), "gzip file", report.Invalid},
		{"a zboot kernel cut in its payload", zboot("zstd", make([]byte, 4096))[:0x500], "truncated: its payload at offset 1024", report.Invalid},
		{"a zboot kernel for RISC-V", with(zboot("zstd", nil), 0x44, "\x64\x50"), "machine 0x5064", report.Unsupported},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := Read(blob.Bytes(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) || report.KindOf(err) != tt.kind {
				t.Errorf("got %v, want a %v error with %q", err, tt.kind, tt.want)
			}
		})
	}
}

// TestJudgedByFile compares the release with what file(1) reads from the same header.
func TestJudgedByFile(t *testing.T) {
	t.Parallel()
	path := oracle.File(t, blob.Bytes(bzImage()))
	out := oracle.Run(t, "file", "-b", path)
	if !strings.Contains(out, "bzImage, version "+banner) {
		t.Errorf("file says %s", out)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(bzImage())
	f.Add(image(5000))
	f.Add(zboot("gzip", gzipped(image(5000))))
	f.Fuzz(func(t *testing.T, p []byte) {
		k, err := Read(blob.Bytes(p))
		if err == nil && (k.Arch == "" || k.Format == "" || strings.ContainsAny(k.Release, " \n\x00")) {
			t.Errorf("%+v", k)
		}
	})
}
