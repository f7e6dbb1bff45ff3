package iso9660

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

func epoch() time.Time { return time.Date(2024, 2, 29, 12, 30, 45, 0, time.UTC) }

// pattern is n bytes that differ from those of another seed.
func pattern(seed byte, n int) blob.Blob {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i>>8) ^ byte(i)*31 ^ seed
	}
	return blob.Bytes(p)
}

// plainSample is folders and files that every hierarchy can hold.
func plainSample() *tree.Tree {
	t := &tree.Tree{}
	t.Dir("boot", 0o755)
	t.File("boot/vmlinuz", 0o644, pattern(1, 100_000))
	t.File("boot/initramfs.zst", 0o600, pattern(2, 2048))
	t.File("boot/grub/grub.cfg", 0o644, blob.String("linux /boot/vmlinuz\n"))
	t.File("empty", 0o644, nil)
	t.File("one", 0o644, blob.String("1"))
	t.Dir("nothing", 0o700)
	deep := ""
	for i := range 12 {
		deep += fmt.Sprintf("level%d/", i)
		t.File(deep+"here.txt", 0o644, blob.String(deep))
	}
	return t
}

// sample adds what takes Rock Ridge.
func sample() *tree.Tree {
	t := plainSample()
	must := func(n tree.Node) {
		if err := t.Add(n); err != nil {
			panic(err)
		}
	}
	must(tree.Node{Path: ".", Mode: fs.ModeDir | 0o711, UID: 3, GID: 4, ModTime: epoch().Add(time.Hour)})
	t.File("two  spaces; and ünïcödé ☃ 🚀.tar.gz", 0o644, blob.String("x"))
	t.File("not\xffutf8", 0o644, blob.String("y"))
	t.File(strings.Repeat("n", 247)+".long", 0o644, blob.String("252"))
	t.File(strings.Repeat("n", 248)+".long", 0o644, blob.String("253"))
	for i := range 40 { // similar names, and enough to fill several sectors
		t.File(fmt.Sprintf("many/a file with a long name that ends in %d.extension", i), 0o644, pattern(byte(i), 10*i))
	}
	t.Symlink("link/relative", "../boot/vmlinuz")
	t.Symlink("link/absolute", "/usr/./bin/env")
	t.Symlink("link/root", "/")
	t.Symlink("link/here", ".")
	t.Symlink("link/long", "/"+strings.Repeat("component/", 60)+strings.Repeat("c", 255)+"/end")
	t.Symlink("link/longest", strings.Repeat("0123456789/", 372)+"end")
	must(tree.Node{Path: "bin/su", Mode: 0o755 | fs.ModeSetuid, UID: 1000, GID: 100, ModTime: epoch().Add(-1000 * time.Hour), Content: blob.String("#!")})
	must(tree.Node{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777})
	must(tree.Node{Path: "dev/sda1", Mode: fs.ModeDevice | 0o660, GID: 6, Major: 8, Minor: 1})
	must(tree.Node{Path: "dev/nvme", Mode: fs.ModeDevice | 0o660, Major: 259, Minor: 70000})
	must(tree.Node{Path: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Major: 1, Minor: 3})
	must(tree.Node{Path: "run/pipe", Mode: fs.ModeNamedPipe | 0o600})
	must(tree.Node{Path: "run/socket", Mode: fs.ModeSocket | 0o600})
	return t
}

func format(tb testing.TB, t *tree.Tree, o Options) *Image {
	tb.Helper()
	im, err := Format(t, o)
	if err != nil {
		tb.Fatal(err)
	}
	return im
}

func read(tb testing.TB, b blob.Blob) *Volume {
	tb.Helper()
	v, err := Read(b)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// flat is all bytes of b.
func flat(tb testing.TB, b blob.Blob) []byte {
	tb.Helper()
	p, err := blob.ReadAll(b, 64<<20)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// undated gives nodes without a time the volume's, as reading back does.
func undated(n *tree.Node) {
	if n.ModTime.IsZero() {
		n.ModTime = epoch()
	}
}

func same(tb testing.TB, a, b blob.Blob) bool {
	tb.Helper()
	return bytes.Equal(flat(tb, a), flat(tb, b))
}
