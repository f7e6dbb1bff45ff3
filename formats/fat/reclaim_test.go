package fat

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// memory is a disk.
type memory []byte

func (m memory) Size() int64 { return int64(len(m)) }

func (m memory) ReadAt(p []byte, at int64) (int, error) { return bytes.NewReader(m).ReadAt(p, at) }

func (m memory) WriteAt(p []byte, at int64) (int, error) {
	if at+int64(len(p)) > int64(len(m)) {
		return 0, io.ErrShortWrite
	}
	return copy(m[at:], p), nil
}

// link sets the entry of cluster c in all FATs.
func (m memory) link(t *testing.T, c, to int64) {
	h, err := readHead(m)
	if err != nil {
		t.Fatal(err)
	}
	for i := range h.fats {
		p := m[h.fatStart()+i*h.fatSize*h.sector+c*int64(h.bits)/8:]
		if h.bits == 16 {
			binary.LittleEndian.PutUint16(p, uint16(to))
		} else {
			binary.LittleEndian.PutUint32(p, uint32(to)&0x0FFFFFFF)
		}
	}
}

// slot is the entry of a short name.
func (m memory) slot(name string) []byte { return m[bytes.Index(m, []byte(name)):][:slotSize] }

// first is the first cluster of that entry, in a volume with less than 65536.
func (m memory) first(name string) int64 {
	return int64(binary.LittleEndian.Uint16(m.slot(name)[26:]))
}

// TestReclaim: what no entry leads to is freed, and nothing else.
func TestReclaim(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, m memory)
		freed int64 // clusters
		same  bool  // the volume becomes again what it was before
		clean bool  // for fsck.fat
		kind  report.Kind
	}{
		"nothing": {func(*testing.T, memory) {}, 0, true, true, 0},
		"written, and not named": {func(t *testing.T, m memory) {
			m.link(t, 1000, 1001)
			m.link(t, 1001, 2000)
			m.link(t, 2000, -1)
			m.link(t, 3000, 1001)
		}, 4, true, true, 0},
		"removed":              {func(_ *testing.T, m memory) { m.slot("ONE     BIN")[0] = freeEntry }, 3, false, false, 0},
		"its size not yet":     {func(_ *testing.T, m memory) { clear(m.slot("ONE     BIN")[28:]) }, 0, false, false, 0},
		"two names":            {func(_ *testing.T, m memory) { copy(m.slot("TWO     BIN")[26:28], m.slot("ONE     BIN")[26:]) }, 2, false, false, 0},
		"a bad cluster":        {func(t *testing.T, m memory) { m.link(t, 1000, 0x0FFFFFF7) }, 0, false, false, 0},
		"a chain that is torn": {func(t *testing.T, m memory) { m.link(t, m.first("ONE     BIN"), 0) }, 2, false, false, 0},
		"a chain that leaves":  {func(t *testing.T, m memory) { m.link(t, m.first("ONE     BIN"), 60000) }, 2, false, false, 0},
		"a folder that is torn": {func(t *testing.T, m memory) {
			m.link(t, m.first("SUB        "), 0)
			m.link(t, 1000, -1)
		}, 0, false, false, report.Invalid},
		"no volume": {func(_ *testing.T, m memory) { clear(m[:512]) }, 0, false, false, report.NotFound},
	} {
		for _, o := range []Options{{Size: 24 * mib, Bits: 16, ClusterSize: 2048}, {Size: 40 * mib, Bits: 32, ClusterSize: 512}} {
			files := &tree.Tree{}
			files.File("ONE.BIN", 0o644, noise(1, 2*o.ClusterSize+1))
			files.File("TWO.BIN", 0o644, noise(2, 2*o.ClusterSize))
			files.File("SUB/three", 0o644, noise(3, 100))
			m, err := blob.ReadAll(mustFormat(t, files, o), 64*mib)
			if err != nil {
				t.Fatal(err)
			}
			before := bytes.Clone(m)
			c.spoil(t, m)
			spoilt := bytes.Clone(m)
			freed, err := Reclaim(memory(m))
			if freed != c.freed*int64(o.ClusterSize) || (err == nil) != (c.kind == 0) || err != nil && report.KindOf(err) != c.kind {
				t.Errorf("%s, FAT%d: %d bytes, %v", name, o.Bits, freed, err)
			}
			if c.same && !bytes.Equal(m, before) || c.freed == 0 && !bytes.Equal(m, spoilt) {
				t.Errorf("%s, FAT%d: another volume", name, o.Bits)
			}
			if c.clean {
				fsck(t, oracle.File(t, blob.Bytes(m)))
			}
			if freed, _ := Reclaim(memory(m)); freed != 0 {
				t.Errorf("%s, FAT%d: and again %d bytes", name, o.Bits, freed)
			}
		}
	}
	if _, err := Reclaim(memory(tinyVolume(12))); report.KindOf(err) != report.Unsupported {
		t.Errorf("FAT12: %v", err)
	}
}

// TestReclaimErrors: a disk that does not take it says so.
func TestReclaimErrors(t *testing.T) {
	m, err := blob.ReadAll(mustFormat(t, &tree.Tree{}, Options{Size: 24 * mib, Bits: 16, ClusterSize: 2048}), 64*mib)
	if err != nil {
		t.Fatal(err)
	}
	memory(m).link(t, 1000, -1)
	if _, err := Reclaim(readOnly{memory(m)}); !errors.Is(err, errWrite) {
		t.Error(err)
	}
}

var errWrite = errors.New("input/output error")

type readOnly struct{ memory }

func (readOnly) WriteAt([]byte, int64) (int, error) { return 0, errWrite }

// FuzzReclaim: what can be read afterwards is what could be read before.
func FuzzReclaim(f *testing.F) {
	f.Add(tinyVolume(32))
	f.Fuzz(func(t *testing.T, p []byte) {
		m := make(memory, 3*mib)
		copy(m, p)
		was, wasErr := Read(memory(bytes.Clone(m)))
		freed, err := Reclaim(m)
		now, nowErr := Read(m)
		if (wasErr == nil) != (nowErr == nil) || err != nil && freed != 0 {
			t.Fatalf("%v, then %v; %d bytes, %v", wasErr, nowErr, freed, err)
		}
		if wasErr == nil && (was.Tree.Len() != now.Tree.Len() || now.Free != was.Free+freed) {
			t.Fatalf("%d bytes: %+v became %+v", freed, was, now)
		}
	})
}
