package containerd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

// said keeps what is said.
type said struct{ text strings.Builder }

func (s *said) Infof(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }
func (s *said) Warnf(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

// database is one that containerd 1.6 has made: 8 pages, of which 6 are in use, described first with transaction 2 and then with 3.
func database() []byte {
	p := make([]byte, 8<<12)
	const same = "\xed\xda\x0c\xed\x02\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	copy(p[16:], same+"\x05\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x6e\x33\x1b\x2c\x7a\x6d\xf9\xee")
	copy(p[4096+16:], same+"\x02\x00\x00\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\xe8\x1e\x58\xe1\xdf\x2e\x12\x8c")
	return p
}

func TestDatabases(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(p []byte) []byte
		want  string
	}{
		"whole":              {func(p []byte) []byte { return p }, ""},
		"empty":              {func([]byte) []byte { return nil }, ""},
		"first lost":         {func(p []byte) []byte { clear(p[:4096]); return p }, ""},
		"second torn":        {func(p []byte) []byte { clear(p[4096+512:]); p[4096+60] ^= 1; return p }, ""},
		"only what is used":  {func(p []byte) []byte { return p[:6<<12] }, ""},
		"cut short":          {func(p []byte) []byte { return p[:6<<12-1] }, "24575 bytes of 24576"},
		"first page":         {func(p []byte) []byte { return p[:4096] }, "4096 bytes of 24576"},
		"zeros":              {func(p []byte) []byte { clear(p); return p }, "no bolt database"},
		"both torn":          {func(p []byte) []byte { p[20], p[4096+20] = 0, 0; return p }, "no bolt database"},
		"something else":     {func([]byte) []byte { return []byte("-\n") }, "no bolt database"},
		"of another version": {func(p []byte) []byte { p[20], p[4096+20] = 3, 3; return p }, "no bolt database"},
	} {
		p := c.spoil(database())
		fault, err := checkBolt(bytes.NewReader(p), int64(len(p)))
		if err != nil || (fault == nil) != (c.want == "") || fault != nil && !strings.Contains(fault.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", name, fault, err, c.want)
		}
	}
	if _, err := checkBolt(broken{}, 1<<20); err == nil {
		t.Error("a disk that does not read is no fault of the database")
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

// TestMendKept: what is damaged is taken away, and only that.
func TestMendKept(t *testing.T) {
	const good = "2d973cf5-df31-4bfb-9b62-d09c293c251b"
	whole := string(database())
	for name, c := range map[string]struct {
		uuid, meta, snapshots string
		uuidLeft, aside       bool
		said                  string
	}{
		"all is well":        {good, whole, whole, true, false, ""},
		"the UUID is empty":  {"", whole, whole, false, false, "made again: \"\" is no UUID"},
		"the UUID is cut":    {good[:20], whole, whole, false, false, "is no UUID"},
		"metadata of zeros":  {good, strings.Repeat("\x00", 4096), whole, false, true, "meta.db is damaged: 4096 bytes, and no bolt database; what containerd kept is put aside in /var/lib/containerd.damaged"},
		"snapshots cut":      {good, whole, whole[:8192], false, true, "metadata.db is damaged: 8192 bytes of 24576"},
		"databases not made": {good, "", "", true, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{uuidFile: c.uuid, keptDir + "/blob": "mine", asideDir + "/blob": "older", asideDir + "/more": "x"}
			for i, text := range []string{c.meta, c.snapshots} {
				files[databases()[i]] = text
			}
			m, log := fake.New(t, files), &said{}
			for range 2 { // the second time there is nothing left to do
				if err := (Deps{M: m, Log: log}).mendKept(); err != nil {
					t.Fatal(err)
				}
			}
			if said := log.text.String(); !strings.Contains(said, c.said) || strings.Count(said, "\n") != min(len(c.said), 1) {
				t.Errorf("said %q", said)
			}
			_, err := m.ReadFile(uuidFile)
			if (err == nil) != c.uuidLeft || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the UUID: %v", err)
			}
			where, aside := keptDir, "older"
			if c.aside {
				where, aside = asideDir, "mine"
				if _, err := m.ReadDir(keptDir); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("there is still something: %v", err)
				}
			}
			for dir, want := range map[string]string{where: "mine", asideDir: aside} {
				if got, err := m.ReadFile(dir + "/blob"); string(got) != want {
					t.Errorf("%s has %q, %v", dir, got, err)
				}
			}
		})
	}
	if err := (Deps{M: fake.New(t, nil), Log: &said{}}).mendKept(); err != nil {
		t.Errorf("on a machine that kept nothing: %v", err)
	}
}

func FuzzCheckBolt(f *testing.F) {
	f.Add(database())
	f.Add(database()[:4096])
	f.Fuzz(func(t *testing.T, p []byte) {
		if fault, err := checkBolt(bytes.NewReader(p), int64(len(p))); err != nil || fault == nil && len(p) > 0 && len(p) < boltHeader+boltMeta {
			t.Errorf("%v, %v", fault, err)
		}
	})
}
