package record

import (
	"bytes"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/tree"
)

func TestRecordRoundTrip(t *testing.T) {
	t.Parallel()
	when := time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC)
	for _, r := range []Record{
		{ID: []byte{0}, Block: 20, Size: 2048, Flags: Dir, Time: when},
		{ID: []byte("EVEN.TXT;1"), SystemUse: []byte("fields"), Block: 1 << 31, Size: 1<<32 - 1, Flags: More},
		{ID: []byte("ODD.TXT;1"), SystemUse: bytes.Repeat([]byte{7}, maxLen-head([]byte("ODD.TXT;1")))},
	} {
		p := make([]byte, Len(r.ID, r.SystemUse))
		r.Put(p)
		got, n, err := Parse(append(p, 1, 2, 3))
		if err != nil || n != len(p) || !bytes.Equal(got.ID, r.ID) || !bytes.Equal(got.SystemUse, r.SystemUse) ||
			got.Block != r.Block || got.Size != r.Size || got.Flags != r.Flags || !got.Time.Equal(r.Time) || got.Self() != (r.ID[0] == 0) {
			t.Errorf("got %+v, %d, %v, want %+v", got, n, err, r)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		when  time.Time
		short bool // in seven bytes
	}{
		{time.Time{}, false},
		{time.Date(1899, 12, 31, 23, 59, 59, 0, time.UTC), false},
		{time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), true},
		{time.Date(2024, 6, 30, 12, 0, 0, 0, time.FixedZone("", -3600)), true},
		{time.Date(2155, 12, 31, 23, 59, 59, 0, time.UTC), true},
		{time.Date(2156, 1, 1, 0, 0, 0, 0, time.UTC), false},
	} {
		p := make([]byte, timeLen)
		putTime(p, tt.when)
		if got := getTime(p); got.Equal(tt.when) != (tt.short || tt.when.IsZero()) || !tt.short && !got.IsZero() {
			t.Errorf("%v comes back as %v", tt.when, got)
		}
		if got := ParseVolumeTime([]byte(VolumeTime(tt.when))); !got.Equal(tt.when) {
			t.Errorf("%v comes back as %v from %q", tt.when, got, VolumeTime(tt.when))
		}
	}
	if got := getTime([]byte{124, 1, 1, 2, 30, 0, 10}); !got.Equal(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("2:30 at +2:30 is %v", got)
	}
	if got := ParseVolumeTime([]byte("2024010102300000\x0a")); !got.Equal(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("2:30 at +2:30 is %v", got)
	}
}

// volume is an area of continuations at its block, for ReadRock.
func (a *Area) load(off, n int64) ([]byte, error) {
	at := off - a.Block*Sector
	if at < 0 || at > int64(len(a.Data))-n || at/Sector != (at+n-1)/Sector {
		return nil, errors.New("outside the area or across a sector")
	}
	return a.Data[at : at+n], nil
}

func rockRoundTrip(t *testing.T, name, link string, id []byte) {
	t.Helper()
	when := time.Unix(1_700_000_000, 0).UTC()
	in := tree.Node{Path: name, Mode: 0o777 | fs.ModeSymlink, UID: 1, GID: 2, Link: link, ModTime: when}
	a := &Area{Block: 99, Data: make([]byte, 1000)}
	p := a.SystemUse(id, Fields(&in, 1, when))
	if head(id)+len(p) > maxLen {
		t.Fatalf("%d bytes of fields behind %d", len(p), head(id))
	}
	x, err := ReadRock(p, a.load)
	if err != nil {
		t.Fatal(err)
	}
	out := tree.Node{Path: name, Mode: 0o444}
	x.Apply(&out, false)
	if x.Name != name || out.Mode != in.Mode || out.UID != 1 || out.GID != 2 || out.Link != in.Link || !out.ModTime.Equal(when) {
		t.Errorf("name %q, %+v, want %+v", x.Name, out, in)
	}
}

// TestRockRoundTrip moves the boundaries of fields, areas and sectors through names and links.
func TestRockRoundTrip(t *testing.T) {
	t.Parallel()
	for n := range 254 {
		rockRoundTrip(t, strings.Repeat("n", n+1), "x", bytes.Repeat([]byte("I"), 1+n%33))
		rockRoundTrip(t, "name", strings.Repeat("l", n+1)+"/../"+strings.Repeat("m", 255), []byte("NAME.;1"))
		rockRoundTrip(t, "name", "/"+strings.Repeat(strings.Repeat("d", n%20+1)+"/", n)+"./"+strings.Repeat("../", n)+"end", []byte("NAME.;1"))
	}
}

func TestDevices(t *testing.T) {
	t.Parallel()
	for _, d := range [][2]uint32{{1, 3}, {8, 255}, {8, 256}, {0xfff, 1}, {0x1000, 1}, {259, 1 << 20}} {
		in := tree.Node{Path: "d", Mode: 0o600 | fs.ModeDevice, Major: d[0], Minor: d[1]}
		x, err := ReadRock(slices.Concat(Fields(&in, 1, time.Time{})...), nil)
		var out tree.Node
		if x.Apply(&out, false); err != nil || out.Major != d[0] || out.Minor != d[1] || out.Mode != in.Mode {
			t.Errorf("%v came back as %d,%d, %v", d, out.Major, out.Minor, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	r := Record{ID: []byte("FILE.;1"), SystemUse: slices.Concat(Fields(&tree.Node{Path: "file", Mode: fs.ModeSymlink, Link: "../x"}, 1, time.Unix(0, 0))...)}
	p := make([]byte, Len(r.ID, r.SystemUse))
	r.Put(p)
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		r, n, err := Parse(p)
		if err != nil {
			return
		}
		if n == 0 || n > len(p) || len(r.ID) == 0 {
			t.Errorf("%d of %d bytes, %+v", n, len(p), r)
		}
		areas := 0
		x, err := ReadRock(r.SystemUse, func(off, n int64) ([]byte, error) {
			if areas++; n > Sector || areas > maxAreas {
				t.Errorf("area %d has %d bytes", areas, n)
			}
			return p[:min(int64(len(p)), n)], nil
		})
		if err == nil {
			var out tree.Node
			x.Apply(&out, true)
			if !out.Mode.IsDir() && x.HasMode {
				t.Errorf("mode %v of a folder", out.Mode)
			}
		}
	})
}
