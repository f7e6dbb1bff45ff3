package cpio_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/formats/tree/treetest"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

func epoch() time.Time { return time.Unix(1700000000, 0).UTC() }

// sample has a node of every kind, names and contents of every alignment, and what else a format likes to forget.
func sample(t testing.TB) *tree.Tree {
	tr := &tree.Tree{}
	for i := range 9 {
		tr.File("len/"+strings.Repeat("n", i+1), 0o644, blob.Bytes(bytes.Repeat([]byte{'a' + byte(i)}, i)))
	}
	tr.File("usr/bin/su", 0o755|fs.ModeSetuid, blob.String("setuid"))
	tr.Dir("tmp", 0o777|fs.ModeSticky)
	tr.Symlink("bin", "usr/bin")
	tr.Symlink("abs", "/usr/bin/su")
	tr.File("name with spaces and ünïcode\xff", 0o600, blob.String("x"))
	tr.File("empty", 0, nil)
	for _, n := range []tree.Node{
		{Path: "owned", UID: 1000, GID: math.MaxUint32, Mode: 0o640, ModTime: time.Unix(1, 0), Content: blob.String("mine")},
		{Path: "dev/console", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o600, Major: 5, Minor: 1},
		{Path: "dev/vda", Mode: fs.ModeDevice | 0o660, Major: 254, Minor: 1 << 18},
		{Path: "dev/pipe", Mode: fs.ModeNamedPipe | 0o644},
		{Path: "dev/log", Mode: fs.ModeSocket | 0o666},
	} {
		if err := tr.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// kept is what an archive holds of a node.
func kept(n *tree.Node) {
	if n.ModTime.IsZero() {
		n.ModTime = epoch()
	}
	n.Xattrs = nil
}

func format(t testing.TB, tr *tree.Tree) *blob.Image {
	t.Helper()
	im, err := cpio.Format(tr, cpio.Options{Epoch: epoch()})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

func flat(t testing.TB, b blob.Blob) []byte {
	t.Helper()
	p, err := blob.ReadAll(b, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFormatThenRead(t *testing.T) {
	t.Parallel()
	tr := sample(t)
	im := format(t, tr)
	if im.Size()%4 != 0 {
		t.Errorf("%d bytes are no multiple of 4", im.Size())
	}
	more := blob.Concat(blob.Part("archive", im), blob.Part("more", blob.String("\x28\xb5\x2f\xfd")))
	got, end, err := cpio.Read(more)
	if err != nil || end != im.Size() {
		t.Fatalf("Read ends at %d of %d: %v", end, im.Size(), err)
	}
	if want, have := treetest.Dump(t, tr, kept), treetest.Dump(t, got, nil); want != have {
		t.Errorf("wrote\n%s\nread\n%s", want, have)
	}
	if !bytes.Equal(flat(t, im), flat(t, format(t, sample(t)))) {
		t.Error("the same tree gives two archives")
	}
}

func TestExtentsReferToContent(t *testing.T) {
	t.Parallel()
	content := blob.String("payload")
	var tr tree.Tree
	tr.File("boot/vmlinuz", 0o644, content)
	tr.File("boot/zeros", 0o644, blob.Zeros(1<<20))
	im := format(t, &tr)
	if off, ok := blob.Locate(im, content); !ok || off%4 != 0 {
		t.Errorf("content at %d, %v", off, ok)
	}
	var names []string
	for _, e := range im.Extents() {
		names = append(names, e.Name)
	}
	want := []string{"header of boot", "header of boot/vmlinuz", "boot/vmlinuz", "header of boot/zeros", "boot/zeros", "trailer"}
	if !slices.Equal(names, want) {
		t.Errorf("extents are %q", names)
	}
	if !slices.ContainsFunc(blob.Holes(im), func(r blob.Range) bool { return r.Length >= 1<<20 }) {
		t.Errorf("zeros became bytes: holes are %v", blob.Holes(im))
	}
}

func TestRecordStarts(t *testing.T) {
	t.Parallel()
	tr := sample(t)
	im := format(t, tr)
	starts, err := cpio.RecordStarts(im)
	if err != nil || len(starts) != tr.Len() {
		t.Fatalf("%d starts for %d nodes: %v", len(starts), tr.Len(), err)
	}
	for _, at := range starts {
		if got, _, err := cpio.Read(blob.Slice(im, at, im.Size()-at)); err != nil || got.Len() == 0 {
			t.Errorf("no archive starts at %d: %v", at, err)
		}
		if _, end, err := cpio.Read(blob.Slice(im, 0, at)); err != nil || end != at {
			t.Errorf("no archive without a trailer ends at %d: %v", at, err)
		}
	}
}

func TestFormatRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("d/", 2047) + "f"
	for _, c := range []struct {
		n    tree.Node
		want string
		kind report.Kind
	}{
		{tree.Node{Path: "big", Content: blob.Zeros(1 << 32)}, "under 4 GiB", report.Unsupported},
		{tree.Node{Path: long + "f", Content: blob.Zeros(1)}, "4096 bytes", report.Unsupported},
		{tree.Node{Path: "link", Mode: fs.ModeSymlink, Link: strings.Repeat("x", 4096)}, "target", report.Unsupported},
		{tree.Node{Path: "link", Mode: fs.ModeSymlink}, "target", report.Unsupported},
		{tree.Node{Path: "link", Mode: fs.ModeSymlink, Link: "a\x00b"}, "NUL", report.Invalid},
		{tree.Node{Path: "TRAILER!!!"}, "ends an archive", report.Unsupported},
		{tree.Node{Path: "old", ModTime: time.Unix(-1, 0)}, "1969", report.Invalid},
		{tree.Node{Path: "late", ModTime: time.Unix(1<<32, 0)}, "2106", report.Invalid},
		{tree.Node{Path: "odd", Mode: fs.ModeIrregular}, "type", report.Unsupported},
	} {
		var tr tree.Tree
		if err := tr.Add(c.n); err != nil {
			t.Fatal(err)
		}
		_, err := cpio.Format(&tr, cpio.Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.n.Path) || report.KindOf(err) != c.kind {
			t.Errorf("Format(%.20q): %v; want %q and the path", c.n.Path, err, c.want)
		}
	}
	var tr tree.Tree
	tr.File(long, 0o644, blob.Zeros(math.MaxUint32))
	tr.File("a/TRAILER!!!", 0o644, nil)
	if _, err := cpio.Format(&tr, cpio.Options{}); err != nil {
		t.Errorf("the largest file with the longest path: %v", err)
	}
}

// rec is a record as hand-written as the tests below need it.
func rec(name string, mode, nlink, ino int, content string) string {
	s := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", ino, mode, 0, 0, nlink, 0, len(content), 0, 0, 0, 0, len(name), 0, name)
	s += strings.Repeat("\x00", -len(s)&3) + content
	return s + strings.Repeat("\x00", -len(s)&3)
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	file := rec("f\x00", 0o100644, 1, 1, "content")
	for _, c := range []struct {
		name, archive, want string
		kind                report.Kind
	}{
		{"soup", "hello, world", "not the start", report.Invalid},
		{"odc", "070707" + strings.Repeat("0", 200), "older formats", report.Unsupported},
		{"binary", "\xc7\x71" + strings.Repeat("0", 200), "older formats", report.Unsupported},
		{"header cut", file[:60], "cut short", report.Invalid},
		{"name cut", file[:111], "cut short", report.Invalid},
		{"content cut", file[:len(file)-4], "cut short", report.Invalid},
		{"content missing", file[:len(file)-8], "f: cut short: the archive ends before its content of 7 bytes", report.Invalid},
		{"not hex", strings.Replace(file, "000081A4", "0000-1A4", 1), "hexadecimal", report.Invalid},
		{"second record", file + "junk", "offset 120", report.Invalid},
		{"no name", rec("\x00", 0o100644, 1, 1, ""), "name of 1 bytes", report.Invalid},
		{"long name", rec(strings.Repeat("x", 4096)+"\x00", 0o100644, 1, 1, ""), "name of 4097", report.Invalid},
		{"huge name", strings.Replace(file, "00000002", "FFFFFFFF", 1), "name of 4294967295", report.Invalid},
		{"no NUL", rec("file", 0o100644, 1, 1, ""), "NUL", report.Invalid},
		{"NUL inside", rec("a\x00b\x00", 0o100644, 1, 1, ""), "NUL", report.Invalid},
		{"dot dot", rec("../etc/passwd\x00", 0o100644, 1, 1, ""), "leaves the tree", report.Invalid},
		{"inner dot dot", rec("a/../b\x00", 0o100644, 1, 1, ""), "leaves the tree", report.Invalid},
		{"through a link", rec("a\x00", 0o120777, 1, 1, "/etc") + rec("a/x\x00", 0o100644, 1, 2, ""), "a/x cannot be added: a is a symbolic link", report.Invalid},
		{"empty link", rec("a\x00", 0o120777, 1, 1, ""), "target", report.Invalid},
		{"long link", rec("a\x00", 0o120777, 1, 1, strings.Repeat("x", 4097)), "target", report.Invalid},
		{"type", rec("a\x00", 0o170644, 1, 1, ""), "unknown type", report.Invalid},
	} {
		_, _, err := cpio.Read(blob.String(c.archive))
		if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
	}
}

func TestReadTolerates(t *testing.T) {
	t.Parallel()
	archive := rec("./\x00", 0o040700, 2, 1, "") + // the root
		rec("/abs/x\x00\x00\x00\x00", 0o100644, 1, 2, "padded name") +
		strings.Replace(rec("crc\x00", 0o100644, 1, 3, "sum"), "070701", "070702", 1) +
		rec("h1\x00", 0o100644, 3, 9, "") + rec("h2\x00", 0o100644, 3, 9, "linked") + rec("h3\x00", 0o100644, 3, 9, "") +
		rec("TRAILER!!!\x00", 0, 1, 0, "")
	tr, end, err := cpio.Read(blob.String(archive[:len(archive)-3]))
	if err != nil || end != int64(len(archive)-3) {
		t.Fatalf("end %d of %d, %v", end, len(archive), err)
	}
	for p, want := range map[string]string{"abs/x": "padded name", "crc": "sum", "h1": "linked", "h2": "linked", "h3": "linked"} {
		if got := string(flat(t, tr.Get(p).Open())); got != want {
			t.Errorf("%s holds %q, want %q", p, got, want)
		}
	}
	if m := tr.Get(".").Mode; m != fs.ModeDir|0o700 {
		t.Errorf("root is %v", m)
	}
}

// TestReadIsBounded has one name imply as many folders as fit, again and again.
func TestReadIsBounded(t *testing.T) {
	t.Parallel()
	var archive strings.Builder
	for i := range 200 {
		archive.WriteString(rec(fmt.Sprintf("%d", i)+strings.Repeat("/d", 2045)+"\x00", 0o100644, 1, i, ""))
	}
	if _, _, err := cpio.Read(blob.String(archive.String())); report.KindOf(err) != report.Unsupported {
		t.Errorf("%v; want a limit", err)
	}
}

func TestJudgesList(t *testing.T) {
	t.Parallel()
	tr := sample(t)
	file := oracle.File(t, format(t, tr))
	for _, tool := range []string{"cpio", "bsdcpio"} {
		cmd := exec.Command(oracle.Need(t, tool), "-it", "--quiet")
		in, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdin = in
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", tool, err, out)
		}
		for _, n := range tr.Nodes() {
			escaped := strings.ReplaceAll(n.Path, "\xff", `\377`) // as bsdcpio prints it
			if !strings.Contains(string(out), n.Path+"\n") && !strings.Contains(string(out), escaped+"\n") {
				t.Errorf("%s does not list %q:\n%s", tool, n.Path, out)
			}
		}
		in.Close()
	}
}

// plain is a tree that an ordinary user can extract.
func plain() *tree.Tree {
	tr := &tree.Tree{}
	for i := range 9 {
		tr.File("len/"+strings.Repeat("n", i+1), 0o644, blob.Bytes(bytes.Repeat([]byte{'a' + byte(i)}, i)))
	}
	tr.File("usr/bin/tool", 0o755, blob.Zeros(70000))
	tr.Dir("usr/empty", 0o711)
	tr.Symlink("bin", "usr/bin")
	return tr
}

func TestJudgesExtract(t *testing.T) {
	t.Parallel()
	im := format(t, plain())
	for _, args := range [][]string{{"cpio", "-idm", "--quiet", "--no-preserve-owner"}, {"bsdcpio", "-idm", "--quiet"}} {
		dir := t.TempDir()
		cmd := exec.Command(oracle.Need(t, args[0]), args[1:]...)
		cmd.Dir, cmd.Stdin = dir, blob.Reader(im)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", args, err, out)
		}
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

func TestReadJudgesArchives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"usr/bin/tool": "tool", "empty": "", "five": "12345"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"five", "three"} {
		if err := os.Link(filepath.Join(dir, "usr/bin/tool"), filepath.Join(dir, "hard-"+link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("usr/bin", filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	host, err := tree.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := treetest.Dump(t, host, nil)
	for _, args := range [][]string{{"cpio", "-o", "-H", "newc", "--quiet"}, {"cpio", "-o", "-H", "crc", "--quiet"}, {"bsdcpio", "-o", "-H", "newc", "--quiet"}} {
		cmd := exec.Command(oracle.Need(t, args[0]), args[1:]...)
		var names, out bytes.Buffer
		for _, n := range host.Nodes() {
			fmt.Fprintln(&names, "./"+n.Path)
		}
		cmd.Dir, cmd.Stdin, cmd.Stdout = dir, &names, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		got, end, err := cpio.Read(blob.Bytes(out.Bytes()))
		if err != nil || end > int64(out.Len()) {
			t.Fatalf("%q: end %d of %d, %v", args, end, out.Len(), err)
		}
		if have := treetest.Dump(t, got, func(n *tree.Node) { n.UID, n.GID, n.ModTime = 0, 0, time.Time{} }); have != want {
			t.Errorf("%q: read\n%s\nwant\n%s", args, have, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(flat(f, format(f, sample(f))))
	f.Add([]byte(rec("h\x00", 0o100644, 2, 1, "x") + rec("g\x00", 0o100644, 2, 1, "")))
	f.Fuzz(func(t *testing.T, p []byte) {
		tr, end, err := cpio.Read(blob.Bytes(p))
		starts, startsErr := cpio.RecordStarts(blob.Bytes(p))
		if err != nil {
			return
		}
		if startsErr != nil || end < 0 || end > int64(len(p)) || len(starts) > 0 && starts[len(starts)-1] >= end {
			t.Fatalf("end %d of %d, starts %v, %v", end, len(p), starts, startsErr)
		}
		im, err := cpio.Format(tr, cpio.Options{})
		if err != nil {
			if report.KindOf(err) != report.Unsupported { // such as a link that is one byte too long for the kernel
				t.Fatalf("cannot write what was read: %v", err)
			}
			return
		}
		again, _, err := cpio.Read(im)
		if err != nil {
			t.Fatal(err)
		}
		timed := func(n *tree.Node) { // folders that others imply have no time
			if n.ModTime.IsZero() {
				n.ModTime = time.Unix(0, 0)
			}
		}
		if want, have := treetest.Dump(t, tr, timed), treetest.Dump(t, again, nil); want != have {
			t.Fatalf("read\n%s\nwrote and read\n%s", want, have)
		}
	})
}

// FuzzFormat writes a tree of a fuzzer's making and wants it back.
func FuzzFormat(f *testing.F) {
	f.Add("a/b", "content", "a/link", "../x", uint32(0o100755), int64(1))
	f.Add("TRAILER!!!", "", "x/TRAILER!!!", "/", uint32(0o060000), int64(-1))
	f.Fuzz(func(t *testing.T, name, content, link, target string, mode uint32, mtime int64) {
		var tr tree.Tree
		other := tree.Node{Path: name + "2", Mode: tree.FileMode(mode), Link: target, Major: mode, ModTime: time.Unix(mtime, 0), Content: blob.String(target)}
		for _, n := range []tree.Node{{Path: name, Content: blob.String(content)}, {Path: link, Mode: fs.ModeSymlink | 0o777, Link: target}, other} {
			if tr.Add(n) != nil {
				return
			}
		}
		im, err := cpio.Format(&tr, cpio.Options{Epoch: epoch()})
		if err != nil {
			return
		}
		got, end, err := cpio.Read(im)
		if err != nil || end != im.Size() || end%4 != 0 {
			t.Fatalf("end %d of %d, %v", end, im.Size(), err)
		}
		if want, have := treetest.Dump(t, &tr, kept), treetest.Dump(t, got, nil); want != have {
			t.Fatalf("wrote\n%s\nread\n%s", want, have)
		}
	})
}
