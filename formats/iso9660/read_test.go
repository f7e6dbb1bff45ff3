package iso9660

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
)

// damage is the sample's image with text written skip bytes behind the start of the last mark.
func damage(tb testing.TB, mark string, skip int, text string) []byte {
	tb.Helper()
	p := flat(tb, smallImage(tb))
	at := bytes.LastIndex(p, []byte(mark))
	if at < 0 {
		tb.Fatalf("the image does not hold %q", mark)
	}
	copy(p[at+skip:], text)
	return p
}

// smallImage has a file, a folder, a link and a boot image in as few bytes as may be.
func smallImage(tb testing.TB) *Image {
	in := &tree.Tree{}
	in.File("boot.img", 0o644, pattern(1, 100))
	in.File("folder/file", 0o644, blob.String("file"))
	in.Symlink("link", "../"+strings.Repeat("long/", 60))
	return format(tb, in, Options{VolumeID: "SMALL", Pad: -1, NoJoliet: true, Boot: []BootEntry{{Path: "boot.img"}}})
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	whole := flat(t, smallImage(t))
	const rootRecord = systemArea*sector + vdRoot
	place := func(at int, text string) []byte {
		p := bytes.Clone(whole)
		copy(p[at:], text)
		return p
	}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "not an iso 9660 volume"},
		{"zeros", make([]byte, 100_000), "not an iso 9660 volume"},
		{"cut before the descriptor", whole[:systemArea*sector+100], "not an iso 9660 volume"},
		{"blocks of 512 bytes", place(systemArea*sector+vdBlockSize, "\x00\x02"), "blocks of 512 bytes"},
		{"root outside", place(rootRecord+2, "\xff\xff\xff\x7f"), "leaves an image"},
		{"root record damaged", place(rootRecord, "\x00"), "directory record of 0 bytes"},
		{"catalogue outside", place((systemArea+1)*sector+bootCatalog, "\xff\xff\xff\xff"), "boot catalogue at offset"},
		{"catalogue damaged", place((systemArea+1)*sector+bootCatalog, "\x10"), "does not begin with a valid entry"},
		{"folder that is the root", damage(t, "FOLDER", 2-33, string(whole[rootRecord+2:rootRecord+6])), "was read already"},
		{"folder that is too long", damage(t, "FOLDER", 10-33, "\xff\xff\xff\x7f"), "folder folder at offset"},
		{"file outside", damage(t, "FILE.;1", 2-33, "\xff\xff\xff\x00"), "file folder/file at offset"},
		{"file too long", damage(t, "FILE.;1", 10-33, "\xff\xff\xff\xff"), "file folder/file at offset"},
		{"interleaved file", damage(t, "FILE.;1", 26-33, "\x01"), "interleaved"},
		{"extent without the next", damage(t, "BOOT.IMG;1", 25-33, "\x80"), "lacks its last extent"},
		{"extent at the end of a folder", damage(t, "FILE.;1", 25-33, "\x80"), "its last file lacks its last extent"},
		{"record that is too short", damage(t, "LINK.;1", -33, "\x21"), "record at offset"},
		{"name with a slash", damage(t, "NM\x0d\x01\x00boot.img", 9, "/"), `name is "boot/img"`},
		{"name that leaves", damage(t, "NM\x09\x01\x00file", 2, "\x07\x01\x00.."), `name is ".."`},
		{"continuation outside", damage(t, "CE\x1c\x01", 4, "\xff\xff\xff"), "rock ridge continuation at offset"},
		{"continuation too long", damage(t, "CE\x1c\x01", 20, "\xff\xff"), "rock ridge continuation at offset"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v, err := Read(blob.Bytes(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %+v, %v, want an error with %q", v, err, tt.want)
			}
			if k := report.KindOf(err); k != report.Invalid && k != report.Unsupported {
				t.Errorf("error of kind %v", k)
			}
		})
	}
}

// TestReadLoops has a continuation area that goes on in itself, and a folder that holds itself as a relocated one.
func TestReadLoops(t *testing.T) {
	t.Parallel()
	p := flat(t, smallImage(t))
	at := bytes.LastIndex(p, []byte("CE\x1c\x01"))
	ce := bytes.Clone(p[at : at+28])
	area := int(ce[4])*sector + int(ce[12]) | int(ce[13])<<8
	copy(p[area:], ce)
	if _, err := Read(blob.Bytes(p)); err == nil || !strings.Contains(err.Error(), "continuation") {
		t.Errorf("a continuation of itself: %v", err)
	}

	rootBlock := string(p[systemArea*sector+vdRoot+2:][:8])
	p = damage(t, "NM\x0d\x01\x00boot.img", 0, "CL\x0c\x01"+rootBlock)
	if _, err := Read(blob.Bytes(p)); err == nil || !strings.Contains(err.Error(), "was read already") {
		t.Errorf("the root, relocated into itself: %v", err)
	}
}

func TestBootImageSizes(t *testing.T) {
	t.Parallel()
	im := smallImage(t)
	whole := flat(t, im)
	off, _, _ := im.Location("boot.img")
	entry := bytes.Index(whole, []byte{0x88, 0, 0, 0, 0, 0, 4, 0})
	for _, tt := range []struct {
		platform, emulation, sectors byte
		want                         int64
	}{
		{0, 0, 1, 512}, {0, 0, 0, 0}, {0xef, 0, 2, 1024}, {0xef, 0, 1, im.Size() - off}, {0xef, 0, 0, im.Size() - off},
		{0, 4, 1, im.Size() - off}, {0, 2, 1, im.Size() - off}, {0, 0, 255, im.Size() - off},
	} {
		p := bytes.Clone(whole)
		p[entry-32+1], p[entry-32+28] = tt.platform, 0
		p[entry-32+29] = 0
		var sum uint16
		for i := entry - 32; i < entry; i += 2 {
			sum += uint16(p[i]) | uint16(p[i+1])<<8
		}
		p[entry-32+28], p[entry-32+29] = byte(-sum), byte(-sum>>8)
		p[entry+1], p[entry+6] = tt.emulation, tt.sectors
		if v := read(t, blob.Bytes(p)); len(v.Boot) != 1 || v.Boot[0].Content.Size() != tt.want {
			t.Errorf("%+v: %+v, %d bytes", tt, v.Boot, v.Boot[0].Content.Size())
		}
	}
}
