package squashfs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/squashfs"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/zstd"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

// TestDeterministic is about neighbours in time: the order of goroutines, and of Add.
func TestDeterministic(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	nodes := sample(t).Nodes()
	reversed := &tree.Tree{}
	for i := range nodes {
		must(t, reversed.Add(*nodes[len(nodes)-1-i]))
	}
	var want blob.Digest
	for _, procs := range []int{1, 2, 3, 8} {
		runtime.GOMAXPROCS(procs)
		for _, tr := range []*tree.Tree{sample(t), reversed} {
			sum, err := blob.Sum(t.Context(), write(t, tr, squashfs.WriteOptions{BlockSize: 16 << 10}))
			must(t, err)
			if want == "" {
				want = sum
			}
			if sum != want {
				t.Errorf("%d processors: %s, want %s", procs, sum, want)
			}
		}
	}
}

// TestStoredOnce compares lengths: a second copy costs its inode.
func TestStoredOnce(t *testing.T) {
	t.Parallel()
	one, two := &tree.Tree{}, &tree.Tree{}
	big, small := blob.Bytes(noise(4, 1_000_000)), noise(5, 9000)
	for _, tr := range []*tree.Tree{one, two} {
		tr.File("big", 0o644, big)
		tr.File("small", 0o644, blob.Bytes(small))
	}
	two.File("copy of big", 0o644, big)                              // by identity
	two.File("copy of small", 0o644, blob.Bytes(bytes.Clone(small))) // by content
	if a, b := write(t, one, squashfs.WriteOptions{}).Size(), write(t, two, squashfs.WriteOptions{}).Size(); b > a+4096 {
		t.Errorf("%d bytes, and with copies %d", a, b)
	}
}

// TestHugeHole has a file of 1 TiB, nearly all a hole: nothing reads what is known to be zero.
func TestHugeHole(t *testing.T) {
	t.Parallel()
	const size = 1<<40 + 100
	disk, err := blob.NewImage(size, blob.Extent{Name: "start", Offset: 1000, Blob: blob.String("start")},
		blob.Extent{Name: "middle", Offset: 5 << 30, Blob: blob.String("middle")}, blob.Extent{Name: "end", Offset: size - 3, Blob: blob.String("end")})
	must(t, err)
	tr := &tree.Tree{}
	tr.File("disk", 0o600, disk)
	o := squashfs.WriteOptions{BlockSize: 1 << 20}
	im := write(t, tr, o)
	got, err := squashfs.Read(im, squashfs.Options{})
	must(t, err)
	f := got.Get("disk").Open()
	if f.Size() != size {
		t.Fatalf("%d bytes", f.Size())
	}
	for off, want := range map[int64]string{1000: "start", 5 << 30: "middle", size - 3: "end", 7 << 30: "\x00\x00"} {
		p := make([]byte, len(want))
		if err := blob.ReadFull(f, p, off); err != nil || string(p) != want {
			t.Errorf("at %d: %q, %v", off, p, err)
		}
	}
	if list := oracle.Run(t, "unsquashfs", "-lln", oracle.File(t, im)); !strings.Contains(list, " 1099511627876 ") {
		t.Errorf("unsquashfs lists\n%s", list)
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", 256)
	for name, c := range map[string]struct {
		node tree.Node
		kind report.Kind
		says string
	}{
		"name":         {tree.Node{Path: "a/" + long}, report.Unsupported, "a/" + long + ": a name of 256 bytes"},
		"folder":       {tree.Node{Path: "a/" + long, Mode: fs.ModeDir}, report.Unsupported, "a name of 256 bytes"},
		"path":         {tree.Node{Path: strings.Repeat("d/", 2048) + "e"}, report.Unsupported, "in a path of 4097"},
		"old":          {tree.Node{Path: "a", ModTime: time.Unix(-1, 0)}, report.Invalid, "a: its time 1969"},
		"new":          {tree.Node{Path: "a", ModTime: time.Unix(1<<32, 0)}, report.Invalid, "a: its time 2106"},
		"type":         {tree.Node{Path: "a", Mode: fs.ModeIrregular}, report.Unsupported, "a: a file of type"},
		"link":         {tree.Node{Path: "a", Mode: fs.ModeSymlink}, report.Unsupported, "a: a link whose target has 0"},
		"long link":    {tree.Node{Path: "a", Mode: fs.ModeSymlink, Link: strings.Repeat("n", 4096)}, report.Unsupported, "target has 4096"},
		"major":        {tree.Node{Path: "a", Mode: fs.ModeDevice, Major: 4096}, report.Unsupported, "a: device 4096,0"},
		"minor":        {tree.Node{Path: "a", Mode: fs.ModeDevice, Minor: 1 << 20}, report.Unsupported, "a: device 0,1048576"},
		"acl":          {tree.Node{Path: "a", Xattrs: map[string]string{"system.posix_acl_access": "x"}}, report.Unsupported, `a: extended attribute "system.posix`},
		"no attribute": {tree.Node{Path: "a", Xattrs: map[string]string{"user.": "x"}}, report.Unsupported, `a: extended attribute "user."`},
		"value":        {tree.Node{Path: "a", Xattrs: map[string]string{"user.a": strings.Repeat("x", 1<<16+1)}}, report.Unsupported, "a value of 65537"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := &tree.Tree{}
			must(t, tr.Add(c.node))
			var data bytes.Buffer
			must(t, squashfs.Compress(t.Context(), &data, tr, squashfs.WriteOptions{}))
			_, err := squashfs.Format(tr, blob.Bytes(data.Bytes()), squashfs.WriteOptions{})
			reporttest.Want(t, err, c.kind, "squashfs: ", c.says)
		})
	}
}

func TestOwners(t *testing.T) {
	t.Parallel()
	tr := &tree.Tree{}
	for i := range 1<<16 - 1 { // and root
		must(t, tr.Add(tree.Node{Path: fmt.Sprint(i), UID: uint32(i), GID: uint32(i / 2)}))
	}
	im := write(t, tr, squashfs.WriteOptions{})
	got, err := squashfs.Read(im, squashfs.Options{})
	must(t, err)
	if n := got.Get("65534"); n.UID != 65534 || n.GID != 32767 {
		t.Errorf("%d:%d", n.UID, n.GID)
	}
	if info := oracle.Run(t, "unsquashfs", "-s", oracle.File(t, im)); !strings.Contains(info, "Number of ids 65535") {
		t.Errorf("unsquashfs says\n%s", info)
	}
	must(t, tr.Add(tree.Node{Path: "one more", UID: 1 << 20}))
	var data bytes.Buffer
	must(t, squashfs.Compress(t.Context(), &data, tr, squashfs.WriteOptions{}))
	_, err = squashfs.Format(tr, blob.Bytes(data.Bytes()), squashfs.WriteOptions{})
	reporttest.Want(t, err, report.Unsupported, "one more: owner 1048576")
}

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2048, 4097, 2 << 20, -4096} {
		err := squashfs.Compress(t.Context(), &bytes.Buffer{}, &tree.Tree{}, squashfs.WriteOptions{BlockSize: size})
		reporttest.Want(t, err, report.Invalid, fmt.Sprintf("blocks of %d bytes", size))
	}
	tr := &tree.Tree{}
	tr.File("a", 0, blob.Zeros(1<<60))
	err := squashfs.Compress(t.Context(), &bytes.Buffer{}, tr, squashfs.WriteOptions{})
	reporttest.Want(t, err, report.Unsupported, "a: 1152921504606846976 bytes")
}

// TestOtherData gives Format what Compress did not write, or not for this.
func TestOtherData(t *testing.T) {
	t.Parallel()
	make := func(change func(*tree.Tree), o squashfs.WriteOptions) []byte {
		tr := sample(t)
		change(tr)
		var out bytes.Buffer
		must(t, squashfs.Compress(t.Context(), &out, tr, o))
		return out.Bytes()
	}
	good := make(func(*tree.Tree) {}, squashfs.WriteOptions{})
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"empty":      {nil, "0 bytes are no data half"},
		"text":       {bytes.Repeat([]byte("text"), 99), `ends with "texttext"`},
		"cut":        {good[:len(good)-1], "ends with"},
		"start":      {good[1:], "bytes, and there are"},
		"index only": {good[len(good)-56:], "no data half"},
		"longer":     {append([]byte{0}, good...), "bytes, and there are"},
		"block size": {make(func(*tree.Tree) {}, squashfs.WriteOptions{BlockSize: 4096}), "has blocks of 4096 bytes, not 131072"},
		"fewer":      {make(func(tr *tree.Tree) { tr.Remove("random") }, squashfs.WriteOptions{}), "another tree"},
		"size":       {make(func(tr *tree.Tree) { tr.File("random", 0o644, blob.String("r")) }, squashfs.WriteOptions{}), "another tree"},
		"name":       {make(func(tr *tree.Tree) { tr.Remove("random"); tr.File("r", 0o644, blob.Bytes(noise(1, 1<<20+77))) }, squashfs.WriteOptions{}), "another tree"},
	} {
		_, err := squashfs.Format(sample(t), blob.Bytes(c.data), squashfs.WriteOptions{})
		if err == nil {
			t.Errorf("%s: is taken", name)
			continue
		}
		reporttest.Want(t, err, report.Invalid, "squashfs: ", c.says)
	}
}

type broken struct{ size int64 }

func (b *broken) Size() int64 { return b.size }

func (b *broken) ReadAt(p []byte, off int64) (int, error) { return 0, errors.New("no medium") }

type fullDisk struct{ left int }

func (w *fullDisk) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("disk is full")
	}
	return len(p), nil
}

// TestCompressFails must neither hang nor lose the reason, wherever work stops.
func TestCompressFails(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{5, 1 << 20} {
		tr := sample(t)
		tr.File("middle", 0o644, &broken{size})
		err := squashfs.Compress(t.Context(), &bytes.Buffer{}, tr, squashfs.WriteOptions{BlockSize: 4096})
		if err == nil || !strings.Contains(err.Error(), "squashfs: middle: byte ") || !strings.Contains(err.Error(), "no medium") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, left := range []int{0, 10_000, 2_000_000} {
		err := squashfs.Compress(t.Context(), &fullDisk{left}, sample(t), squashfs.WriteOptions{BlockSize: 4096})
		if err == nil || !strings.Contains(err.Error(), "disk is full") {
			t.Errorf("%d bytes left: %v", left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := squashfs.Compress(ctx, &bytes.Buffer{}, sample(t), squashfs.WriteOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := squashfs.Compress(t.Context(), iotest.TruncateWriter(nil, 0), &tree.Tree{}, squashfs.WriteOptions{}); err != nil {
		t.Errorf("an empty tree: %v", err)
	}
}

func TestEncoderIsTheModules(t *testing.T) {
	t.Parallel()
	if _, module, _ := strings.Cut(zstd.Version, ", "); !strings.HasSuffix(squashfs.Encoder, ", "+module) {
		t.Errorf("%q lacks %q, which go.mod has", squashfs.Encoder, module)
	}
}

func TestEmptyTree(t *testing.T) {
	t.Parallel()
	im := write(t, &tree.Tree{}, squashfs.WriteOptions{})
	got, err := squashfs.Read(im, squashfs.Options{})
	must(t, err)
	if got.Len() != 1 || got.Get(".").Mode != fs.ModeDir|0o755 {
		t.Errorf("%d files, the root is %v", got.Len(), got.Get(".").Mode)
	}
	if list := oracle.Run(t, "unsquashfs", "-ll", oracle.File(t, im)); !strings.Contains(list, "squashfs-root") {
		t.Errorf("unsquashfs lists %q", list)
	}
}
