package configarea

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	entries := []Entry{{"serial 7", []byte("b: 2\n")}, {"52:54:00:12:34:56", nil}, {Default, []byte("a: 1")}}
	got, err := Encode(entries, 160)
	want := "# bootwright configuration area v1\n# entry default 4\na: 1\n# entry 52:54:00:12:34:56 0\n\n# entry serial 7 5\nb: 2\n\n"
	if err != nil || string(got) != want+strings.Repeat("\n", 160-len(want)) || Size(entries) != int64(len(want)) {
		t.Fatalf("%q, %v; needs %d", got, err, Size(entries))
	}
	back, err := Decode(got)
	if err != nil || len(back) != 3 || back[0].Match != Default || string(back[2].Config) != "b: 2\n" {
		t.Errorf("%q, %v", back, err)
	}
	if empty, err := Encode(nil, Unit); err != nil || len(empty) != Unit {
		t.Errorf("%d bytes, %v", len(empty), err)
	} else if back, err := Decode(empty); err != nil || back != nil {
		t.Errorf("%v, %v", back, err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		entries []Entry
		size    int64
		want    string
	}{
		{[]Entry{{Default, make([]byte, 100)}}, 100, "need 156 bytes, and there is room for 100"},
		{nil, MaxSize + 1, "room for 33554432"},
		{nil, -1, "room for -1"},
		{[]Entry{{"a", nil}, {"a", nil}}, Unit, "two machine configurations for a"},
		{[]Entry{{"A", nil}}, Unit, `"A" should be "a"`},
		{[]Entry{{"", nil}}, Unit, "is not a UUID"},
		{[]Entry{{"a\nb", nil}}, Unit, "is not a UUID"},
	} {
		if _, err := Encode(c.entries, c.size); report.KindOf(err) != report.Invalid || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%q: %v", c.want, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                                    "no configuration area",
		strings.TrimSpace(header):                             "no configuration area",
		"# bootwright configuration area":                     "no configuration area",
		header + "x":                                          "offset 35: neither",
		header + "\n\n# entry a 0\n\n":                        "offset 37: neither",
		header + "# entry a":                                  "without match or size",
		header + "# entry \n":                                 "without match or size",
		header + "# entry a 3\nab\n":                          "does not have",
		header + "# entry a 2\nabc\n":                         "does not have",
		header + "# entry a 02\nab\n":                         "does not have",
		header + "# entry a -1\nab\n":                         "does not have",
		header + "# entry a 99999999999999999999\nab\n":       "does not have",
		header + "# entry A 0\n\n":                            "should be",
		header + "# entry  0\n\n":                             "is not a UUID",
		header + "# entry b 0\n\n# entry a 0\n\n":             "offset 48: entry a is twice or out of order",
		header + "# entry a 0\n\n# entry a 0\n\n":             "twice",
		header + "# entry " + strings.Repeat("a", 999) + " 0": "without match or size",
	} {
		if got, err := Decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestPick(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for _, m := range []string{Default, "52:54:00:00:00:01", "d0c5-u", "serial 7"} {
		entries = append(entries, Entry{Match: m})
	}
	for _, c := range []struct {
		m    Machine
		want string
	}{
		{Machine{UUID: "D0C5-U", Serial: "serial 7"}, "d0c5-u"},
		{Machine{UUID: "other", Serial: " Serial 7 "}, "serial 7"},
		{Machine{MACs: []string{"x", "52-54-00-00-00-01"}}, "52:54:00:00:00:01"},
		{Machine{}, Default},
	} {
		if got, ok := Pick(entries, c.m); !ok || got.Match != c.want {
			t.Errorf("%+v gets %q, want %q", c.m, got.Match, c.want)
		}
	}
	if got, ok := Pick(entries[1:], Machine{UUID: "other"}); ok {
		t.Errorf("a machine that nothing is for gets %q", got.Match)
	}
}

func FuzzDecode(f *testing.F) {
	for _, entries := range [][]Entry{nil, {{Default, []byte("a: 1\n")}}, {{"a b", nil}, {"c", []byte("# entry x 1\n")}}} {
		area, err := Encode(entries, 200)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(area)
	}
	f.Fuzz(func(t *testing.T, area []byte) {
		entries, err := Decode(area)
		if err != nil {
			return
		}
		if _, _, found := pending(area); found {
			return
		}
		again, err := Encode(entries, int64(len(area)))
		if err != nil || !bytes.Equal(again, area) {
			t.Fatalf("encodes to %q, %v", again, err)
		}
	})
}

// TestRewrite cuts every rewrite off at every place, with the sectors of the write that was cut off in any state, and rewrites
// what was left.
func TestRewrite(t *testing.T) {
	t.Parallel()
	const size = 8 * sector
	r := rand.New(rand.NewPCG(1, 2))
	config := func(n int) []byte { return bytes.Repeat([]byte{byte('a' + r.IntN(26))}, n) }
	for _, c := range []struct{ from, to []Entry }{
		{nil, []Entry{{Default, config(700)}}},
		{[]Entry{{Default, config(700)}}, nil},
		{[]Entry{{Default, config(1500)}}, []Entry{{Default, config(1500)}}},
		{[]Entry{{Default, config(1200)}, {"b", config(300)}}, []Entry{{"b", config(10)}, {"c", config(1000)}}},
		{[]Entry{{Default, config(3900)}}, []Entry{{Default, config(3900)}}}, // no room for both
		{nil, []Entry{{Default, config(3000)}}},
	} {
		from, to := encoded(t, c.from, size), encoded(t, c.to, size)
		writes, err := Rewrite(from, c.to)
		if err != nil {
			t.Fatal(err)
		}
		roomy := int(Size(c.from))+2*int(Size(c.to)) < size-sector && len(c.from)+len(c.to) > 0
		for i := range writes {
			for range 200 {
				area := cutOff(r, from, writes[:i+1])
				got, err := Decode(area)
				if is := err == nil && (same(t, got, from) || same(t, got, to)); !is && (roomy || err == nil) {
					t.Fatalf("cut off in write %d of %d: %q, %v", i, len(writes), got, err)
				}
				for _, next := range [][]Entry{c.to, c.from, {{"x", []byte("y")}}} {
					more, err := Rewrite(area, next)
					if err != nil || !bytes.Equal(written(area, more), encoded(t, next, size)) {
						t.Fatalf("rewriting what was cut off in write %d: %v", i, err)
					}
				}
			}
		}
		if got := written(from, writes); !bytes.Equal(got, to) {
			t.Fatalf("became %q", got)
		}
		if again, err := Rewrite(to, c.to); err != nil || len(again) > 0 {
			t.Errorf("%v, %d writes for nothing", err, len(again))
		}
	}
	if _, err := Rewrite(encoded(t, nil, size), []Entry{{Default, make([]byte, size)}}); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
}

func encoded(t *testing.T, entries []Entry, size int64) []byte {
	t.Helper()
	area, err := Encode(entries, size)
	if err != nil {
		t.Fatal(err)
	}
	return area
}

func same(t *testing.T, entries []Entry, area []byte) bool {
	t.Helper()
	return bytes.Equal(encoded(t, entries, int64(len(area))), area)
}

// written is area after writes.
func written(area []byte, writes []Write) []byte {
	out := bytes.Clone(area)
	for _, w := range writes {
		copy(out[w.Offset:], w.Data)
	}
	return out
}

// cutOff is area after writes, the last of which reached some of its sectors only.
func cutOff(r *rand.Rand, area []byte, writes []Write) []byte {
	before := written(area, writes[:len(writes)-1])
	out := written(area, writes)
	for at := 0; at < len(out); at += sector {
		if r.IntN(2) == 0 {
			copy(out[at:at+sector], before[at:])
		}
	}
	return out
}

func FuzzRewrite(f *testing.F) {
	f.Add(encodedSeed(f), "a", []byte("b: 1\n"))
	f.Add(append(bytes.Repeat([]byte("x"), 300), trailer([]byte("x"))...), "default", []byte("c"))
	f.Fuzz(func(t *testing.T, area []byte, match string, config []byte) {
		entries := []Entry{{match, config}}
		writes, err := Rewrite(area, entries)
		if err != nil {
			return
		}
		if got, err := Decode(written(area, writes)); err != nil || len(got) != 1 || !bytes.Equal(got[0].Config, config) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

func encodedSeed(f *testing.F) []byte {
	area, err := Encode([]Entry{{Default, []byte("a: 1\n")}}, 400)
	if err != nil {
		f.Fatal(err)
	}
	return area
}

func FuzzEncode(f *testing.F) {
	f.Add("default", []byte("a: 1\n"), "52:54:00:12:34:56", []byte(nil))
	f.Fuzz(func(t *testing.T, m1 string, c1 []byte, m2 string, c2 []byte) {
		entries := []Entry{{m1, c1}, {m2, c2}}
		area, err := Encode(entries, Size(entries))
		if err != nil {
			return
		}
		back, err := Decode(area)
		if err != nil || len(back) != 2 {
			t.Fatalf("%q, %v", area, err)
		}
		for _, e := range entries {
			got, ok := Pick(back, Machine{UUID: e.Match})
			if !ok || !reflect.DeepEqual(string(got.Config), string(e.Config)) {
				t.Fatalf("%q has %q, not %q", e.Match, got.Config, e.Config)
			}
		}
	})
}
