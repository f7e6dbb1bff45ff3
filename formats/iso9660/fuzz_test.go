package iso9660

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

// FuzzRead reads whatever follows the system area.
func FuzzRead(f *testing.F) {
	for _, o := range []Options{{Pad: -1}, {NoRockRidge: true, Pad: -1}, {NoJoliet: true, Pad: -1, Boot: []BootEntry{{Path: "one"}, {Path: "one", Platform: EFI}}}} {
		in := &tree.Tree{}
		in.File("one", 0o644, blob.String("1"))
		in.File("a/b/c", 0o644, nil)
		if !o.NoRockRidge {
			in.Symlink("link", strings.Repeat("../x", 100))
		}
		f.Add(flat(f, format(f, in, o))[systemArea*sector:])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b := blob.Concat(blob.Part("system area", blob.Zeros(systemArea*sector)), blob.Part("volume", blob.Bytes(p)))
		v, err := Read(b)
		if err != nil {
			return
		}
		for _, n := range v.Tree.Nodes() {
			if err := tree.CheckPath(n.Path); err != nil {
				t.Error(err)
			}
		}
		for _, i := range v.Boot {
			if i.Offset+i.Content.Size() > b.Size() {
				t.Errorf("boot image %+v leaves the image", i)
			}
		}
	})
}

// randomTree spends the bytes of p on nodes.
func randomTree(p []byte) *tree.Tree {
	t := &tree.Tree{}
	folders := []string{""}
	var contents []blob.Blob
	for len(p) >= 8 {
		kind, where, length, seed := p[0], int(p[1]), int(binary.LittleEndian.Uint16(p[2:])), p[4]
		name := randomName(p[5], p[6], p[7])
		p = p[8:]
		n := tree.Node{Path: folders[where%len(folders)] + name, Mode: fs.FileMode(length) & 0o777, UID: uint32(length), ModTime: time.Unix(int64(length)<<8, 0).UTC()}
		switch kind % 8 {
		case 0, 1:
			n.Mode |= fs.ModeDir
		case 2:
			n.Mode, n.Link = 0o777|fs.ModeSymlink, randomLink(seed, length)
		case 3:
			n.Mode |= fs.ModeDevice
			n.Major, n.Minor = 1+uint32(seed), uint32(length)
		case 4:
			n.Content = blob.Concat(append(parts(contents), blob.Part("own", pattern(seed, length)))...)
		default:
			n.Content = pattern(seed, length)
			contents = append(contents, n.Content)
		}
		if t.Get(n.Path) == nil && t.Add(n) == nil && n.Mode.IsDir() {
			folders = append(folders, n.Path+"/")
		}
	}
	return t
}

// parts are the last two contents, from a sector on, so that files hold one another.
func parts(contents []blob.Blob) (out []blob.Extent) {
	at := int64(0)
	for _, c := range contents[max(0, len(contents)-2):] {
		out = append(out, blob.Padding(at, sector), blob.Part("shared", c))
		at = blob.Align(at, sector) + c.Size()
	}
	return out
}

func randomName(a, b, c byte) string {
	name := fmt.Sprintf("%c%s", 'a'+a%3, strings.Repeat(string(rune('a'+b%5)), int(b)))
	if c%3 == 0 {
		name += "." + strings.Repeat("é.", int(c)/32) + "ext"
	}
	return name[:min(len(name), maxName)]
}

func randomLink(seed byte, length int) string {
	pieces := []string{"..", ".", "name", strings.Repeat("long", int(seed))}
	out := [...]string{"", "/"}[seed%2]
	for i := range 1 + length%40 {
		out += pieces[(int(seed)+i*length)%4] + "/"
	}
	if out = strings.TrimRight(out, "/"); out == "" {
		return "/"
	}
	for strings.Contains(out, "//") {
		out = strings.ReplaceAll(out, "//", "/")
	}
	return out
}

// FuzzFormat lays out a random tree and reads it back.
func FuzzFormat(f *testing.F) {
	f.Add([]byte("01234567"), int64(0), false)
	f.Add([]byte("\x00\x00\x00\x00\x00abc\x05\x01\x00\x30\x01abd\x04\x01\x10\x00\x02abe\x02\x01\x33\x33\xffabf\x03\x00\x01\x02\x03abg"), int64(4096), true)
	f.Fuzz(func(t *testing.T, p []byte, align int64, noJoliet bool) {
		in := randomTree(p[:min(len(p), 800)])
		im, err := Format(in, Options{Align: align, NoJoliet: noJoliet, Pad: -1})
		if err != nil {
			return
		}
		v, err := Read(im)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := dump(t, v.Tree, nil), dump(t, in, nil); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		for _, n := range in.Nodes() {
			off, size, ok := im.Location(n.Path)
			if !ok {
				continue
			}
			if at, err := blob.Equal(context.Background(), n.Open(), blob.Slice(im, off, size)); at >= 0 || err != nil {
				t.Errorf("%s differs at %d, %v", n.Path, at, err)
			}
		}
	})
}
