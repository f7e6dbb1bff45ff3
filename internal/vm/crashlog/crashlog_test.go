package crashlog

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
)

const size = 1 << 20

// record lets QEMU's own block layer record commands of qemu-io on an empty disk.
func record(t *testing.T, commands ...string) (*Log, []byte) {
	t.Helper()
	tool := oracle.Need(t, "qemu-io")
	dir := t.TempDir()
	disk, log := filepath.Join(dir, "disk"), filepath.Join(dir, "log")
	for _, f := range []string{disk, log} {
		if err := os.WriteFile(f, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(f, 4*size); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--image-opts", "-t", "writeback", "-d", "unmap", fmt.Sprintf("driver=blklogwrites,log-super-update-interval=1,file.driver=file,file.filename=%s,log.driver=file,log.filename=%s", disk, log)}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil || bytes.Contains(out, []byte("failed")) {
		t.Fatalf("%v: %s", err, out)
	}
	f, err := os.Open(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	l, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	return l, whole
}

type memory []byte

func (m memory) WriteAt(p []byte, at int64) (int, error) { return copy(m[at:], p), nil }

// state is the disk after n entries, of which a seed says what is lost, as it is read and as a file is patched.
func (l *Log) state(t *testing.T, n int, seed uint64) memory {
	t.Helper()
	c := l.Cursor(blob.Zeros(4 * size))
	if err := c.Advance(n); err != nil {
		t.Fatal(err)
	}
	return content(t, c, seed)
}

func content(t *testing.T, c *Cursor, seed uint64) memory {
	t.Helper()
	d, err := c.State(seed)
	if err != nil {
		t.Fatal(err)
	}
	read, patched := make(memory, 4*size), make(memory, 4*size)
	if err := errors.Join(blob.ReadFull(d, read, 0), d.Patch(patched)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read, patched) {
		t.Fatal("the disk reads otherwise than it was written out")
	}
	return read
}

// replay is what Cursor does, in the plainest way.
func (l *Log) replay(t *testing.T, n int, seed uint64) memory {
	t.Helper()
	m, durable := make(memory, 4*size), 0
	for i, e := range l.Entries[:n] {
		if e.Flush {
			durable = i + 1
		}
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	for i, e := range l.Entries[:n] {
		p := make([]byte, e.Size)
		if i >= durable && !e.FUA {
			switch random.IntN(4) {
			case 0:
				continue
			case 1:
				p = p[:random.Int64N(e.Size/l.SectorSize+1)*l.SectorSize]
			}
		}
		if !e.Discard {
			if _, err := l.source.ReadAt(p, e.at); err != nil {
				t.Fatal(err)
			}
		}
		copy(m[e.Offset:], p)
	}
	return m
}

// TestCursor: a cursor that goes forward makes the disks that replaying all from the start makes.
func TestCursor(t *testing.T) {
	l, _ := record(t, "write -P 0x11 0 1M", "write -P 0x22 100k 200k", "flush", "write -P 0x33 128k 64k", "discard 64k 512k", "write -P 0x44 1000k 3k", "write -P 0x55 96k 64k",
		"flush", "write -f -P 0x66 2M 64k", "write -P 0x77 0 4k", "discard 4k 4k", "write -P 0x88 512 1k")
	c := l.Cursor(blob.Zeros(4 * size))
	unsure := 0
	for n := range len(l.Entries) + 1 {
		if err := c.Advance(n); err != nil {
			t.Fatal(err)
		}
		unsure = max(unsure, c.Unsure())
		for seed := range uint64(8) {
			if !bytes.Equal(content(t, c, seed), l.replay(t, n, seed)) {
				t.Fatalf("entry %d, seed %d: another disk", n, seed)
			}
		}
	}
	if unsure < 3 {
		t.Errorf("at most %d writes could be lost", unsure)
	}
	if c.Advance(0) == nil || c.Advance(len(l.Entries)+1) == nil {
		t.Error("the cursor went where it cannot go")
	}
}

// TestBeyond: a write behind the end of the disk is refused.
func TestBeyond(t *testing.T) {
	l, _ := record(t, "write -P 0x11 1M 64k", "flush")
	if err := l.Cursor(blob.Zeros(size)).Advance(len(l.Entries)); err == nil {
		t.Error("it was written")
	}
}

// TestReplay: what was flushed is there in every state, what was not is there in some, whole or torn.
func TestReplay(t *testing.T) {
	l, whole := record(t, "write -P 0x11 0 64k", "write -P 0x22 64k 4k", "flush", "write -P 0x33 128k 64k", "write -P 0x44 0 4k", "discard 64k 4k", "flush")
	if !bytes.Equal(l.state(t, len(l.Entries), 1), whole) {
		t.Error("the last state is not what the disk was in the end")
	}
	last := len(l.Entries)
	for last > 0 && l.Entries[last-1].Flush {
		last-- // before the flushes at the end
	}
	kept, lost, torn := 0, 0, 0
	for seed := range uint64(64) {
		m := l.state(t, last, seed)
		if m[4096] != 0x11 || m[65535] != 0x11 {
			t.Fatalf("seed %d: what was flushed is gone", seed)
		}
		switch n := bytes.Count(m[128<<10:192<<10], []byte{0x33}); n {
		case 0:
			lost++
		case 64 << 10:
			kept++
		default:
			torn++
			if n%512 != 0 {
				t.Errorf("seed %d: torn inside a sector", seed)
			}
		}
		if !bytes.Equal(m, l.state(t, last, seed)) {
			t.Fatal("a seed gives two states")
		}
	}
	if kept == 0 || lost == 0 || torn == 0 {
		t.Errorf("kept %d, lost %d, torn %d", kept, lost, torn)
	}
	if n := l.Writes(); n != 5 {
		t.Errorf("%d writes", n)
	}
}

func TestNotALog(t *testing.T) {
	for _, s := range []string{"", strings.Repeat("x", 4096), "\x72\x68\x73\x77\x66\x73\x6a\x00" + strings.Repeat("\xff", 100)} {
		if _, err := Read(strings.NewReader(s)); err == nil {
			t.Errorf("%.20q was read", s)
		}
	}
}

func FuzzRead(f *testing.F) {
	head := "\x72\x68\x73\x77\x66\x73\x6a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"
	f.Add([]byte(head + strings.Repeat("\x00", 2048)))
	f.Fuzz(func(t *testing.T, p []byte) {
		l, err := Read(bytes.NewReader(p))
		if err != nil {
			return
		}
		for i, e := range l.Entries {
			if e.Size > 1<<16 || i > 64 {
				l.Entries = l.Entries[:i]
				break
			}
		}
		c := l.Cursor(blob.Zeros(1 << 30))
		if c.Advance(len(l.Entries)) == nil {
			c.State(1)
		}
	})
}
