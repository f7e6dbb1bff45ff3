package tar_test

import (
	gotar "archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tar"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/tree/treetest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func epoch() time.Time { return time.Unix(1700000000, 0).UTC() }

// plain is a tree that an ordinary user can extract.
func plain() *tree.Tree {
	tr := &tree.Tree{}
	for _, n := range []int{0, 1, 511, 512, 513, 70000} {
		tr.File(fmt.Sprintf("len/%d", n), 0o644, blob.Bytes(bytes.Repeat([]byte{'x'}, n)))
	}
	tr.File(strings.Repeat("long/", 24)+"name with spaces and ünïcode", 0o600, blob.String("x"))
	tr.File("usr/bin/tool", 0o755, blob.String("tool"))
	tr.Dir("usr/empty", 0o711)
	tr.Symlink("bin", "usr/bin")
	tr.Symlink("far", strings.Repeat("../", 100)+"far")
	return tr
}

// sample has a node of every kind that the format holds.
func sample(t testing.TB) *tree.Tree {
	t.Helper()
	tr := plain()
	for _, n := range []tree.Node{
		{Path: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Path: "usr/bin/su", Mode: 0o755 | fs.ModeSetuid | fs.ModeSetgid, Content: blob.String("su")},
		{Path: "owned", UID: 1000, GID: math.MaxUint32, Mode: 0o640, ModTime: time.Unix(-1, 5), Content: blob.String("mine")},
		{Path: "bytes\xff", Mode: 0o644},
		{Path: "dev/console", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 5, Minor: 1},
		{Path: "dev/vda", Mode: fs.ModeDevice | 0o660, Major: 254, Minor: 1<<21 - 1},
		{Path: "dev/pipe", Mode: fs.ModeNamedPipe | 0o644},
		{Path: "ping", Mode: 0o755, Content: blob.String("ping"), Xattrs: map[string]string{"security.capability": "\x01\x00\x00\x02\x00=\n", "user.b": "v", "user.a": "w"}},
	} {
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

func timed(n *tree.Node) {
	if n.ModTime.IsZero() {
		n.ModTime = epoch()
	}
}

func write(t testing.TB, tr *tree.Tree) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := tar.Write(&out, tr, tar.Options{Epoch: epoch()}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	archive := write(t, sample(t))
	if !bytes.Equal(archive, write(t, sample(t))) {
		t.Error("the same tree gives two archives")
	}
	want := treetest.Dump(t, sample(t), timed)
	var spooled []string
	for name, read := range map[string]func() (*tree.Tree, error){
		"Read": func() (*tree.Tree, error) { return tar.Read(bytes.NewReader(archive), tar.ReadOptions{}) },
		"one byte": func() (*tree.Tree, error) {
			return tar.Read(iotest.OneByteReader(bytes.NewReader(archive)), tar.ReadOptions{})
		},
		"ReadBlob": func() (*tree.Tree, error) { return tar.ReadBlob(blob.Bytes(archive), tar.ReadOptions{}) },
		"Spool": func() (*tree.Tree, error) {
			return tar.Read(bytes.NewReader(archive), tar.ReadOptions{Spool: func(name string, size int64, r io.Reader) (blob.Blob, error) {
				spooled = append(spooled, name)
				p, err := io.ReadAll(r)
				return blob.Bytes(p), err
			}})
		},
	} {
		got, err := read()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if have := treetest.Dump(t, got, nil); have != want {
			t.Errorf("%s: wrote\n%s\nread\n%s", name, want, have)
		}
	}
	if !strings.Contains(strings.Join(spooled, " "), "len/513") || strings.Contains(strings.Join(spooled, " "), "len/0") {
		t.Errorf("spooled %q", spooled)
	}
}

func TestReadBlobCopiesNothing(t *testing.T) {
	t.Parallel()
	archive := write(t, plain())
	b := blob.Bytes(archive)
	got, err := tar.ReadBlob(b, tar.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	off := int64(bytes.Index(archive, bytes.Repeat([]byte{'x'}, 70000)))
	if got.Get("len/70000").Content != blob.Slice(b, off, 70000) {
		t.Error("content is not a slice of the archive")
	}
}

func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	for _, n := range []tree.Node{
		{Path: "socket", Mode: fs.ModeSocket},
		{Path: "xattr", Xattrs: map[string]string{"user.a=b": "c"}},
		{Path: "link", Mode: fs.ModeSymlink},
		{Path: "device", Mode: fs.ModeDevice, Minor: 1 << 21},
		{Path: "nul", Mode: fs.ModeSymlink, Link: "a\x00b"},
		{Path: "short", Content: truncated{}},
	} {
		var tr tree.Tree
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
		if err := tar.Write(io.Discard, &tr, tar.Options{}); err == nil || !strings.Contains(err.Error(), n.Path) {
			t.Errorf("%s: %v", n.Path, err)
		}
	}
	full := errors.New("no space left")
	if err := tar.Write(fullDisk{full}, sample(t), tar.Options{}); !errors.Is(err, full) {
		t.Errorf("a full disk gives %v", err)
	}
}

type truncated struct{}

func (truncated) Size() int64                       { return 100 }
func (truncated) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

type fullDisk struct{ err error }

func (w fullDisk) Write([]byte) (int, error) { return 0, w.err }

// entries is an archive of the headers given; a file's content is its name, repeated or cut to its size.
func entries(t testing.TB, hs ...gotar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gotar.NewWriter(&out)
	for _, h := range hs {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == gotar.TypeReg {
			if _, err := w.Write(bytes.Repeat([]byte{'c'}, int(h.Size))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name string, size int64) gotar.Header {
	return gotar.Header{Typeflag: gotar.TypeReg, Name: name, Size: size, Mode: 0o644}
}

func link(kind byte, name, target string) gotar.Header {
	return gotar.Header{Typeflag: kind, Name: name, Linkname: target, Mode: 0o777}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	device := gotar.Header{Typeflag: gotar.TypeChar, Name: "dev", Devmajor: 1 << 33, Format: gotar.FormatGNU}
	owner := file("owned", 0)
	owner.Uid = 1 << 33
	for _, c := range []struct {
		name    string
		archive []byte
		opts    tar.ReadOptions
		want    []string
		kind    report.Kind
	}{
		{"soup", bytes.Repeat([]byte("soup"), 500), tar.ReadOptions{}, []string{"file 1", "invalid tar header"}, report.Invalid},
		{"cut in content", entries(t, file("a", 3000))[:2000], tar.ReadOptions{}, []string{"cut short"}, report.Invalid},
		{"cut in header", entries(t, file("a", 10), file("b", 10))[:1200], tar.ReadOptions{}, []string{"file 2", "cut short"}, report.Invalid},
		{"dot dot", entries(t, file("../x", 1)), tar.ReadOptions{}, []string{`"../x" leaves the tree`}, report.Invalid},
		{"inner dot dot", entries(t, file("a/../../x", 1)), tar.ReadOptions{}, []string{"leaves the tree"}, report.Invalid},
		{"absolute dot dot", entries(t, file("/../x", 1)), tar.ReadOptions{}, []string{"leaves the tree"}, report.Invalid},
		{"through a link", entries(t, link(gotar.TypeSymlink, "a", "/etc"), file("a/x", 1)), tar.ReadOptions{}, []string{"a/x cannot be added: a is a symbolic link"}, report.Invalid},
		{"through a file", entries(t, file("a", 1), file("a/x", 1)), tar.ReadOptions{}, []string{"a/x", "a is a file"}, report.Invalid},
		{"hard link out", entries(t, link(gotar.TypeLink, "a", "../etc/shadow")), tar.ReadOptions{}, []string{"a: ", "leaves the tree"}, report.Invalid},
		{"hard link through a link", entries(t, link(gotar.TypeSymlink, "d", "/etc"), link(gotar.TypeLink, "a", "d/shadow")), tar.ReadOptions{}, []string{"a: a hard link to d/shadow"}, report.Invalid},
		{"hard link forward", entries(t, link(gotar.TypeLink, "a", "b"), file("b", 1)), tar.ReadOptions{}, []string{"a: a hard link to b"}, report.Invalid},
		{"hard link to a folder", entries(t, file("b/c", 1), link(gotar.TypeLink, "a", "b")), tar.ReadOptions{}, []string{"a: a hard link to b"}, report.Invalid},
		{"folder becomes a file", entries(t, file("b/c", 1), file("b", 1)), tar.ReadOptions{}, []string{"b is a folder with entries"}, report.Invalid},
		{"empty link", entries(t, link(gotar.TypeSymlink, "a", "")), tar.ReadOptions{}, []string{"a: ", "target has 0 bytes"}, report.Invalid},
		{"device", entries(t, device), tar.ReadOptions{}, []string{"dev: device number"}, report.Invalid},
		{"owner", entries(t, owner), tar.ReadOptions{}, []string{"owned: owner 8589934592:0"}, report.Invalid},
		{"type", entries(t, gotar.Header{Typeflag: 'V', Name: "volume"}), tar.ReadOptions{}, []string{"volume: ", "type 'V'"}, report.Unsupported},
		{"long path", entries(t, file(strings.Repeat("x", 5000), 1)), tar.ReadOptions{}, []string{"path of 5000 bytes"}, report.Unsupported},
		{"too many bytes", entries(t, file("a", 600), file("b", 600)), tar.ReadOptions{MaxBytes: 1000}, []string{"b: its 600 bytes", "limit of 1000"}, report.Unsupported},
		{"too many files", entries(t, file("a/b/c/d", 1)), tar.ReadOptions{MaxFiles: 3}, []string{"a/b/c/d: ", "more than 3"}, report.Unsupported},
	} {
		for _, read := range []func() (*tree.Tree, error){
			func() (*tree.Tree, error) { return tar.Read(bytes.NewReader(c.archive), c.opts) },
			func() (*tree.Tree, error) { return tar.ReadBlob(blob.Bytes(c.archive), c.opts) },
		} {
			tr, err := read()
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: %v; want %q", c.name, err, want)
				}
			}
			if tr != nil || report.KindOf(err) != c.kind {
				t.Errorf("%s: tree %v, kind %v; want none, %v", c.name, tr, report.KindOf(err), c.kind)
			}
		}
	}
}

func TestReadPassesErrorsOn(t *testing.T) {
	t.Parallel()
	broken := report.Errorf(report.Unavailable, "the line dropped")
	archive := entries(t, file("a", 3000))
	for _, n := range []int{100, 512, 2000} {
		r := io.MultiReader(bytes.NewReader(archive[:n]), iotest.ErrReader(broken))
		if _, err := tar.Read(r, tar.ReadOptions{}); !errors.Is(err, broken) || report.KindOf(err) != report.Unavailable {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
	for name, spool := range map[string]func(string, int64, io.Reader) (blob.Blob, error){
		"fails":  func(string, int64, io.Reader) (blob.Blob, error) { return nil, broken },
		"forgot": func(string, int64, io.Reader) (blob.Blob, error) { return blob.Zeros(1), nil },
	} {
		if _, err := tar.Read(bytes.NewReader(archive), tar.ReadOptions{Spool: spool}); err == nil || !strings.Contains(err.Error(), "a: ") {
			t.Errorf("a spool that %s: %v", name, err)
		}
	}
}

func TestReadTolerates(t *testing.T) {
	t.Parallel()
	global := gotar.Header{Typeflag: gotar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "from git"}}
	linked := link(gotar.TypeLink, "./hard", "./usr/x")
	linked.Size = 0
	root := gotar.Header{Typeflag: gotar.TypeDir, Name: "./", Mode: 0o750}
	archive := entries(t, global, root, file("./usr/x", 5), file("/abs", 1), linked, link(gotar.TypeSymlink, "out", "/etc/../../x"), file("abs", 2), link(gotar.TypeLink, "/hardlink-to-link", "out"))
	tr, err := tar.Read(bytes.NewReader(archive), tar.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if tr.Get(".").Mode != fs.ModeDir|0o750 || tr.Get("abs").Size() != 2 || tr.Get("hardlink-to-link").Link != "/etc/../../x" {
		t.Errorf("read\n%s", treetest.Dump(t, tr, nil))
	}
	if tr.Get("hard").Content != tr.Get("usr/x").Content {
		t.Error("a hard link has content of its own")
	}
	if empty, err := tar.Read(bytes.NewReader(nil), tar.ReadOptions{}); err != nil || empty.Len() != 0 {
		t.Errorf("an empty archive: %v", err)
	}
}

func TestJudgesExtract(t *testing.T) {
	t.Parallel()
	path := oracle.File(t, blob.Bytes(write(t, plain())))
	for _, args := range [][]string{{"tar", "--no-same-owner", "-p"}, {"bsdtar", "--no-same-owner", "-p"}} {
		dir := t.TempDir()
		oracle.Run(t, args[0], append(args[1:], "-xf", path, "-C", dir)...)
		got, err := tree.FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if want, have := treetest.Dump(t, plain(), nil), treetest.Dump(t, got, nil); want != have {
			t.Errorf("%s extracts\n%s\nwant\n%s", args[0], have, want)
		}
		if st, err := os.Stat(filepath.Join(dir, "usr/bin/tool")); err != nil || !st.ModTime().Equal(epoch()) {
			t.Errorf("%s: time is %v, %v", args[0], st.ModTime(), err)
		}
	}
}

func TestJudgesList(t *testing.T) {
	t.Parallel()
	tr := sample(t)
	path := oracle.File(t, blob.Bytes(write(t, tr)))
	for tool, args := range map[string][]string{"tar": {"--xattrs", "--xattrs-include=*", "--numeric-owner", "--quoting-style=literal", "-tvvf", path}, "bsdtar": {"-tvf", path}} {
		out := oracle.Run(t, tool, args...)
		for _, n := range tr.Nodes() {
			if !strings.Contains(out, strings.TrimSuffix(n.Path, "\xff")) {
				t.Errorf("%s does not list %q", tool, n.Path)
			}
		}
		for _, want := range []string{"5,1", "crw-------", "prw-r--r--", "-rwsr-sr-x", "drwxrwxrwt", "1000"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not list %q:\n%s", tool, want, out)
			}
		}
		if tool == "tar" && !strings.Contains(out, "security.capability") {
			t.Errorf("tar lists no extended attributes:\n%s", out)
		}
	}
}

func TestReadJudgesArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, size := range map[string]int{"usr/bin/tool": 700, "empty": 0, strings.Repeat("deep/", 30) + strings.Repeat("n", 120): 5} {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, bytes.Repeat([]byte{'x'}, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sparse, err := os.Create(filepath.Join(dir, "sparse"))
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{1 << 20, 3 << 20} {
		if _, err := sparse.WriteAt([]byte("data"), off); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(sparse.Truncate(5<<20), sparse.Close(), os.Link(filepath.Join(dir, "usr/bin/tool"), filepath.Join(dir, "hard")),
		os.Symlink("usr/bin", filepath.Join(dir, "bin"))); err != nil {
		t.Fatal(err)
	}
	host, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := treetest.Dump(t, host, nil)
	for _, args := range [][]string{
		{"tar", "--format=gnu"}, {"tar", "--format=pax"}, {"tar", "--format=gnu", "--sparse"}, {"tar", "--format=pax", "--sparse"},
		{"tar", "--format=pax", "--sparse", "--sparse-version=0.1"}, {"tar", "--format=oldgnu", "--sparse"}, {"bsdtar", "--format=pax"}, {"bsdtar", "--format=gnutar"},
	} {
		path := filepath.Join(t.TempDir(), "a.tar")
		oracle.Run(t, args[0], append(args[1:], "-cf", path, "-C", dir, ".")...)
		f, err := blob.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for name, read := range map[string]func() (*tree.Tree, error){
			"Read":     func() (*tree.Tree, error) { return tar.Read(blob.Reader(f), tar.ReadOptions{}) },
			"ReadBlob": func() (*tree.Tree, error) { return tar.ReadBlob(f, tar.ReadOptions{}) },
		} {
			got, err := read()
			if err != nil {
				t.Errorf("%s of %q: %v", name, args, err)
				continue
			}
			have := treetest.Dump(t, got, func(n *tree.Node) { n.UID, n.GID, n.ModTime, n.Xattrs = 0, 0, time.Time{}, nil })
			if _, after, ok := strings.Cut(have, "\n"); !ok || after != want { // the first line is the root's
				t.Errorf("%s of %q: read\n%s\nwant\n%s", name, args, have, want)
			}
		}
	}
}

func FuzzRead(f *testing.F) {
	small := sample(f) // long inputs keep the fuzzer busy making them short
	small.Remove("len")
	small.Remove("long")
	f.Add(write(f, small))
	f.Add(entries(f, file("a", 3), link(gotar.TypeLink, "b", "a"), link(gotar.TypeSymlink, "c", "../x")))
	f.Fuzz(func(t *testing.T, p []byte) { readBothWays(t, p) })
}

// FuzzEntries makes archives whose headers add up, which FuzzRead hardly ever does.
func FuzzEntries(f *testing.F) {
	f.Add("d", "5/x", "a/b", "0", "../x", "2/etc", int64(0o4755), int64(-7), "user.x", "v")
	f.Add("a", "2b", "a/x", "0", "./a//x", "1a", int64(-1), int64(1)<<40, "", "")
	f.Fuzz(func(t *testing.T, name1, link1, name2, link2, name3, link3 string, mode, num int64, key, value string) {
		var out bytes.Buffer
		w := gotar.NewWriter(&out)
		for _, e := range [][2]string{{name1, link1}, {name2, link2}, {name3, link3}} {
			if e[1] == "" {
				return
			}
			h := gotar.Header{
				Name: e[0], Typeflag: e[1][0], Linkname: e[1][1:], Mode: mode, Uid: int(num), Devmajor: num, ModTime: time.Unix(num, num),
				PAXRecords: map[string]string{"SCHILY.xattr." + key: value},
			}
			if h.Typeflag == gotar.TypeReg {
				h.Size = int64(len(value))
			}
			if w.WriteHeader(&h) != nil {
				return
			}
			if h.Typeflag == gotar.TypeReg {
				if _, err := io.WriteString(w, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		if w.Close() == nil {
			readBothWays(t, out.Bytes())
		}
	})
}

// readBothWays wants one tree from both readers, and the same again when it is written.
func readBothWays(t *testing.T, p []byte) {
	limits := tar.ReadOptions{MaxFiles: 1000, MaxBytes: 1 << 20}
	tr, err := tar.Read(bytes.NewReader(p), limits)
	byRef, refErr := tar.ReadBlob(blob.Bytes(p), limits)
	if (err == nil) != (refErr == nil) {
		t.Fatalf("Read: %v; ReadBlob: %v", err, refErr)
	}
	if err != nil {
		return
	}
	want := treetest.Dump(t, tr, timed)
	if have := treetest.Dump(t, byRef, timed); have != want {
		t.Fatalf("Read\n%s\nReadBlob\n%s", want, have)
	}
	var out bytes.Buffer
	if err := tar.Write(&out, tr, tar.Options{Epoch: epoch()}); err != nil {
		if report.KindOf(err) == report.Unsupported {
			return
		}
		t.Fatalf("cannot write what was read: %v", err)
	}
	again, err := tar.ReadBlob(blob.Bytes(out.Bytes()), tar.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if have := treetest.Dump(t, again, timed); have != want {
		t.Fatalf("read\n%s\nwrote and read\n%s", want, have)
	}
}
