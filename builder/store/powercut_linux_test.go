package store_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/internal/report"
)

// stamped is the only record of a stamp in s, which edit may change before it is written back.
func stamped(t *testing.T, s *store.Store, edit func(map[string]any)) map[string]any {
	t.Helper()
	names := files(t, filepath.Join(s.Dir(), "stamps"))
	if len(names) != 1 {
		t.Fatalf("%d records, want 1", len(names))
	}
	path := filepath.Join(s.Dir(), "stamps", names[0])
	p, err := os.ReadFile(path)
	must(t, err)
	var r map[string]any
	d := json.NewDecoder(bytes.NewReader(p))
	d.UseNumber() // nanoseconds do not fit into a float
	must(t, d.Decode(&r))
	if edit != nil {
		edit(r)
		p, err = json.Marshal(r)
		must(t, err)
		writeFile(t, path, string(p))
	}
	return r
}

// TestSpooledBeforePowerCut: derived content is not synced, and so it is not believed after the system has started again.
func TestSpooledBeforePowerCut(t *testing.T) {
	t.Parallel()
	sameBoot, anotherBoot := func(map[string]any) {}, func(r map[string]any) { r["boot"] = "another" }
	for _, c := range []struct {
		name    string
		content string // after the cut
		edit    func(record map[string]any)
		hashed  int64
		damaged bool
	}{
		{"no cut", "derived", sameBoot, 0, false},
		{"no cut, so that nobody looks", "\x00\x00\x00\x00\x00\x00\x00", sameBoot, 0, false},
		{"a cut that lost nothing", "derived", anotherBoot, 7, false},
		{"a cut that left zeros", "\x00\x00\x00\x00\x00\x00\x00", anotherBoot, 7, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			first := open(t, t.TempDir(), store.Options{})
			e := spool(t, first, "key", "derived")
			path := entryPath(first, e.Digest)
			if c.content != "derived" {
				poison(t, path, c.content)
			}
			settle()
			stamped(t, first, func(r map[string]any) {
				if r["boot"] == nil {
					t.Error("the record does not say that nobody waited for the disk")
				}
				c.edit(r)
				st, err := os.Stat(path)
				must(t, err)
				r["ctime"] = st.Sys().(*syscall.Stat_t).Ctim.Nano() // a power cut does not change it
			})
			var m meter
			s := open(t, first.Dir(), store.Options{Progress: m.tell})
			_, err := s.Spooled(t.Context(), "key")
			if got := m.take(); got != c.hashed {
				t.Errorf("%d bytes hashed, want %d", got, c.hashed)
			}
			if c.damaged {
				wantError(t, err, report.NotFound, "damaged")
				return
			}
			must(t, err)
			if r := stamped(t, s, nil); r["boot"] != nil {
				t.Errorf("synced, and the record still says %v", r)
			}
		})
	}
}

// TestPutIsSynced: what was downloaded is believed after a power cut.
func TestPutIsSynced(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	put(t, s, "download")
	if r := stamped(t, s, nil); r["boot"] != nil {
		t.Errorf("not synced: %v", r)
	}
}
