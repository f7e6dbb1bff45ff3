package eltorito

import (
	"slices"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	var entries []Entry
	for i := range MaxEntries {
		entries = append(entries, Entry{Platform: []byte{0, 0xef}[i%2], Bootable: true, Sectors: uint16(i), Block: uint32(i) << 20})
		p := Encode(entries)
		if got, err := Parse(p); err != nil || len(p) != Size || !slices.Equal(got, entries) {
			t.Errorf("%d entries: got %+v, %v", i+1, got, err)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	one := Encode([]Entry{{Bootable: true, Block: 7}})
	for name, tt := range map[string]struct {
		change func(p []byte)
		want   int // entries; -1 is an error
	}{
		"as written":             {func([]byte) {}, 1},
		"no key":                 {func(p []byte) { p[validationKey] = 0 }, -1},
		"wrong checksum":         {func(p []byte) { p[5] = 1 }, -1},
		"two in one section":     {func(p []byte) { copy(p[64:], "\x91\xef\x02\x00") }, 3},
		"extension":              {func(p []byte) { copy(p[64:], "\x91\xef\x01\x00"); p[96] = 0x44 }, 2},
		"more than it has":       {func(p []byte) { copy(p[64:], "\x91\xef\xff\xff") }, 1 + Size/entrySize - 3},
		"nothing behind default": {func(p []byte) { p[96] = 0x88 }, 1},
	} {
		p := slices.Clone(one)
		tt.change(p)
		if got, err := Parse(p); (err != nil) != (tt.want < 0) || err == nil && len(got) != tt.want {
			t.Errorf("%s: got %+v, %v, want %d entries", name, got, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Encode([]Entry{{Block: 1}, {Platform: 0xef, Block: 2}}))
	f.Fuzz(func(t *testing.T, p []byte) {
		p = append(p, make([]byte, Size)...)[:Size]
		if got, err := Parse(p); err == nil && (len(got) == 0 || len(got) > Size/entrySize) {
			t.Errorf("%d entries", len(got))
		}
	})
}
