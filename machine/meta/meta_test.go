package meta

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// disk is a partition in memory whose power fails after so many writes.
type disk struct {
	p      []byte
	writes int // left; -1 for any number
}

var errPower = errors.New("power cut")

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	if d.writes == 0 {
		return 0, errPower
	}
	d.writes--
	return copy(d.p[at:], p), nil
}

func (d *disk) Sync() error { return nil }

func TestRoundTrip(t *testing.T) {
	for range 200 {
		v := Values{}
		for range rand.IntN(6) {
			v[Tag(1+rand.IntN(255))] = []byte(strings.Repeat("x", rand.IntN(1000)))
		}
		p, err := Encode(v)
		again, _ := Encode(maps.Clone(v))
		if err != nil || len(p) != 2*CopySize || !bytes.Equal(p, again) {
			t.Fatal(err, len(p))
		}
		got, damaged, err := Read(bytes.NewReader(p))
		if err != nil || damaged != nil || !maps.EqualFunc(got, v, bytes.Equal) {
			t.Fatalf("%v, %v: %v of %v", err, damaged, got, v)
		}
	}
}

// TestLayout has the bytes that the field's own programs write.
func TestLayout(t *testing.T) {
	p, _ := Encode(Values{Upgrade: []byte("A"), UserReserved1: []byte("hi")})
	want := "\x5a\x4b\x3c\x2d\x00\x00\x00\x06\x00\x00\x00\x01A\x00\x00\x00\x0c\x00\x00\x00\x02hi\x00\x00\x00\x00"
	if got := string(p[:len(want)]); got != want || string(p[CopySize-4:CopySize]) != "\xa5\xb4\xc3\xd2" {
		t.Errorf("%q … %q", got, p[CopySize-4:CopySize])
	}
}

func TestDamage(t *testing.T) {
	v := Values{StateEncryption: []byte(`{"a":1}`)}
	whole, _ := Encode(v)
	for name, c := range map[string]struct {
		spoil   []int // bytes to change
		damaged string
		err     string
	}{
		"first copy":   {[]int{100}, "first copy: meta: the checksum is wrong", ""},
		"second copy":  {[]int{CopySize + 7}, "second copy: meta: the checksum is wrong", ""},
		"first magic":  {[]int{0}, "first copy: meta: no list of values", ""},
		"both":         {[]int{5, 2*CopySize - 1}, "", "both copies are damaged"},
		"both, at end": {[]int{CopySize - 36, 2*CopySize - 36}, "", "both copies are damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			p := bytes.Clone(whole)
			for _, at := range c.spoil {
				p[at] ^= 0x40
			}
			got, damaged, err := Read(bytes.NewReader(p))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || report.KindOf(err) != report.Invalid {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil || damaged == nil || !strings.HasPrefix(damaged.Error(), c.damaged) || !maps.EqualFunc(got, v, bytes.Equal) {
				t.Errorf("%v, damaged %v, error %v", got, damaged, err)
			}
		})
	}
	if _, _, err := Read(bytes.NewReader(make([]byte, Size))); !errors.Is(err, ErrEmpty) {
		t.Errorf("a new partition: %v", err)
	}
	if _, _, err := Read(bytes.NewReader(whole[:CopySize+5])); err != nil {
		t.Errorf("a partition that is too short for the second copy: %v", err)
	}
}

// TestPowerCut: whatever is cut, the values are the old or the new, and the next write mends all.
func TestPowerCut(t *testing.T) {
	before, after := Values{1: []byte("before")}, Values{1: []byte("after"), 2: []byte("more")}
	p, _ := Encode(before)
	for writes := range 3 {
		d := &disk{append(bytes.Clone(p), make([]byte, Size-len(p))...), writes}
		if err := Write(d, after); (err == nil) != (writes == 2) {
			t.Error(writes, err)
		}
		want := after
		if writes == 0 {
			want = before
		}
		if got, _, err := Read(bytes.NewReader(d.p)); err != nil || !maps.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("after %d writes: %v, %v", writes, got, err)
		}
		d.writes = -1
		if err := Write(d, after); err != nil {
			t.Error(err)
		}
		if got, damaged, err := Read(bytes.NewReader(d.p)); err != nil || damaged != nil || !maps.EqualFunc(got, after, bytes.Equal) {
			t.Errorf("%v, %v, %v", got, damaged, err)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []Values{{0: nil}, {1: make([]byte, CopySize)}} {
		if _, err := Encode(v); report.KindOf(err) != report.Invalid {
			t.Errorf("%v", err)
		}
	}
}

func TestArgument(t *testing.T) {
	long := strings.Repeat("network: {}\n", 100)
	for _, v := range []Values{{}, {0xa: []byte("a=b")}, {0xa: []byte(long), 0xc: []byte("x")}} {
		s, err := EncodeArgument(v)
		if err != nil || len(s) > 400 {
			t.Errorf("%q, %v", s, err)
		}
		if got, err := DecodeArgument(s); err != nil || !maps.EqualFunc(got, v, bytes.Equal) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if s, _ := EncodeArgument(Values{0xc: []byte("hi")}); s != "MHhjPWhp" { // 0xc=hi
		t.Error(s)
	}
	if _, err := EncodeArgument(Values{1: []byte("a;b")}); report.KindOf(err) != report.Invalid {
		t.Error(err)
	}
	for _, s := range []string{"*", "YQ==", "H4sIAAAA", "MHgwPTE=", "MHgxMDA9MQ=="} {
		if _, err := DecodeArgument(s); report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	p, _ := Encode(Values{1: []byte("one"), 255: nil})
	f.Add(p)
	f.Fuzz(func(t *testing.T, p []byte) {
		if v, _, err := Read(bytes.NewReader(p)); err == nil {
			if _, err := Encode(v); err != nil {
				t.Error(err)
			}
		}
		// what a checksum does not protect from
		decodeEntries(p)
	})
}

func FuzzDecodeArgument(f *testing.F) {
	f.Add("MHhjPWhp")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := DecodeArgument(s)
		if err != nil {
			return
		}
		again, err := EncodeArgument(v)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := DecodeArgument(again); err != nil || !maps.EqualFunc(got, v, bytes.Equal) {
			t.Errorf("%v, %v", got, err)
		}
	})
}
