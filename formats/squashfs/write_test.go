package squashfs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/tree/treetest"
	"github.com/bootwright/bootwright/internal/oracle"
)

var epoch = time.Unix(1_700_000_000, 0)

// write is the image of tr, both halves.
func write(t testing.TB, tr *tree.Tree, o squashfs.WriteOptions) *blob.Image {
	t.Helper()
	var data bytes.Buffer
	must(t, squashfs.Compress(t.Context(), &data, tr, o))
	im, err := squashfs.Format(tr, blob.Bytes(data.Bytes()), o)
	must(t, err)
	return im
}

func noise(seed uint64, n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(p)
	return p
}

// sample has a file of every type and shape.
func sample(t testing.TB) *tree.Tree {
	tr := &tree.Tree{}
	add := func(n tree.Node) {
		t.Helper()
		must(t, tr.Add(n))
	}
	text := []byte(strings.Repeat("squashfs compresses this. ", 20_000))
	add(tree.Node{Path: ".", Mode: fs.ModeDir | fs.ModeSticky | 0o777, UID: 3, GID: 4})
	add(tree.Node{Path: "dev/null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666, Major: 1, Minor: 3})
	add(tree.Node{Path: "dev/big", Mode: fs.ModeDevice | 0o600, Major: 4095, Minor: 1<<20 - 1})
	add(tree.Node{Path: "dev/fifo", Mode: fs.ModeNamedPipe | 0o640, UID: 1 << 31})
	add(tree.Node{Path: "dev/socket", Mode: fs.ModeSocket | 0o600, GID: 1<<32 - 1})
	tr.Dir("empty", 0o700)
	tr.Dir("deep/"+strings.Repeat("d/", 200)+"end", 0o755)
	tr.Symlink("link", "../../outside")
	tr.Symlink("long link", strings.Repeat("x/", 2000))
	add(tree.Node{Path: "bin/su", Mode: 0o755 | fs.ModeSetuid, Content: blob.Bytes(text[:5000]), ModTime: time.Unix(1<<32-1, 0)})
	add(tree.Node{Path: "bin/wall", Mode: 0o755 | fs.ModeSetgid, Content: blob.Bytes(text), ModTime: time.Unix(0, 0)})
	add(tree.Node{Path: "bin/ping", Mode: 0o755, Content: blob.String("ping"),
		Xattrs: map[string]string{"security.capability": "\x01\x00\x00\x02\x00=\n", "user.b": strings.Repeat("v", 9000), "user.a": ""}})
	add(tree.Node{Path: "bin/ping6", Mode: 0o755, Content: blob.String("ping"), Xattrs: map[string]string{"trusted.x": "y"}})
	tr.File("bin/same", 0o644, blob.Bytes(bytes.Clone(text)))
	shared := blob.Bytes(noise(1, 1<<20+77))
	tr.File("random", 0o644, shared)
	tr.File("random again", 0o600, shared)
	for n := range 5 {
		tr.File(fmt.Sprintf("sizes/%d", n), 0o644, blob.Bytes(noise(2, (4096<<(2*n))+n-2)))
	}
	tr.File("sizes/none", 0o644, nil)
	tr.File("holes/all", 0o644, blob.Zeros(1<<20+5))
	tr.File("holes/small", 0o644, blob.Zeros(5))
	tr.File("holes/written", 0o644, blob.Bytes(append(append(noise(3, 9000), make([]byte, 500_000)...), "end"...)))
	tr.File("holes/end", 0o644, blob.Concat(blob.Part("", blob.String("start")), blob.Part("", blob.Zeros(1<<20))))
	for i := range 3000 { // a listing of 100 KiB, and inodes in many blocks
		tr.File(fmt.Sprintf("full/%04d-%s", i, strings.Repeat("n", i%40)), 0o600, blob.String(fmt.Sprint(i)))
	}
	tr.File("names/"+strings.Repeat("n", 255), 0o644, blob.String("n"))
	tr.File("names/\x01\n\\ \xff\u00e4", 0o644, blob.String("odd"))
	return tr
}

// dump is tr as an image holds it.
func dump(t testing.TB, tr *tree.Tree, changes ...func(*tree.Node)) string {
	t.Helper()
	if tr.Get(".").ModTime.IsZero() {
		must(t, tr.Add(*tr.Get(".")))
	}
	return treetest.Dump(t, tr, func(n *tree.Node) {
		if n.ModTime.IsZero() {
			n.ModTime = epoch
		}
		for _, change := range changes {
			change(n)
		}
	})
}

func same(t testing.TB, what, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			t.Errorf("%s: line %d is\n%.300s\nwant\n%.300s", what, i, g[i], w[i])
			return
		}
	}
	if len(g) != len(w) {
		t.Errorf("%s: %d lines, want %d", what, len(g), len(w))
	}
}

var allOptions = map[string]squashfs.WriteOptions{
	"zero": {Epoch: epoch}, "4K": {Epoch: epoch, BlockSize: 4096}, "1M": {Epoch: epoch, BlockSize: 1 << 20, Level: 9}, "best": {Epoch: epoch, Level: 19},
}

func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	for name, o := range allOptions {
		tr := sample(t)
		im := write(t, tr, o)
		if im.Size()%4096 != 0 {
			t.Errorf("%s: %d bytes", name, im.Size())
		}
		got, err := squashfs.Read(im, squashfs.Options{})
		must(t, err)
		same(t, name, dump(t, got), dump(t, tr))
	}
}

// TestSqfs2tar has the image read by squashfs-tools-ng, all that a tar holds.
func TestSqfs2tar(t *testing.T) {
	t.Parallel()
	for name, o := range allOptions {
		tr := sample(t)
		tr.Remove("dev/socket") // which a tar cannot hold
		path := oracle.File(t, write(t, tr, o))
		out := filepath.Join(t.TempDir(), "tar")
		oracle.Run(t, "sh", "-c", oracle.Need(t, "sqfs2tar")+" --root-becomes . "+path+" >"+out)
		f, err := blob.OpenFile(out)
		must(t, err)
		defer f.Close()
		got, err := tar.ReadBlob(f, tar.ReadOptions{})
		must(t, err)
		same(t, name, dump(t, got), dump(t, tr))
	}
}

// TestUnsquashfs has the image unpacked and listed by squashfs-tools.
func TestUnsquashfs(t *testing.T) {
	t.Parallel()
	tr := sample(t)
	tr.Remove("dev")   // takes root to unpack
	tr.Remove("names") // which are not UTF-8
	for _, n := range tr.Nodes() {
		n.Xattrs = nil
	}
	path := oracle.File(t, write(t, tr, allOptions["4K"]))
	dir := filepath.Join(t.TempDir(), "root")
	oracle.Run(t, "unsquashfs", "-quiet", "-no-progress", "-processors", "1", "-d", dir, path)
	got, err := tree.FromDir(dir)
	must(t, err)
	got.Dir(".", fs.ModeSticky|0o777)
	plain := func(n *tree.Node) { n.UID, n.GID, n.ModTime = 0, 0, epoch }
	same(t, "unpacked", dump(t, got, plain), dump(t, tr, plain))
}

func TestUnsquashfsLists(t *testing.T) {
	t.Parallel()
	for name, o := range allOptions {
		list := oracle.Run(t, "unsquashfs", "-lln", oracle.File(t, write(t, sample(t), o)))
		for _, want := range []string{
			"drwxrwxrwt 3/4 ", "crw-rw-rw- 0/0                   1,  3 2023-11-14 22:13 squashfs-root/dev/null", "squashfs-root/full/2999-",
			"prw-r----- 2147483648/0 ", "srw------- 0/4294967295 ",
			"-rwsr-xr-x 0/0                    5000 2106-02-07 06:28 squashfs-root/bin/su", " squashfs-root/link -> ../../outside",
		} {
			if !strings.Contains(list, want) {
				t.Errorf("%s: the listing lacks %q:\n%.2000s", name, want, list)
			}
		}
	}
}
