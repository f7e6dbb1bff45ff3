package value

import (
	"encoding"
	"testing"
	"time"
)

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		into encoding.TextUnmarshaler
		want any // nil where the text is wrong
	}{
		{"2m", new(Duration), Duration(2 * time.Minute)},
		{"1h30m", new(Duration), Duration(90 * time.Minute)},
		{"0", new(Duration), Duration(0)},
		{"2", new(Duration), nil},
		{"2 m", new(Duration), nil},
		{"-2m", new(Duration), nil},
		{"", new(Duration), nil},
		{"1073741824", new(Size), Size(1 << 30)},
		{"2GB", new(Size), Size(2_000_000_000)},
		{"2GiB", new(Size), Size(2 << 30)},
		{"1.5 kib", new(Size), Size(1536)},
		{"100 MB", new(Size), Size(100_000_000)},
		{"0.5B", new(Size), Size(0)},
		{"7T", new(Size), Size(7e12)},
		{"2 GBs", new(Size), nil},
		{"-2GB", new(Size), nil},
		{"999999999999999999TB", new(Size), nil},
		{"4GB", new(SizeMatch), SizeMatch{"", 4e9}},
		{"<= 2TB", new(SizeMatch), SizeMatch{"<=", 2e12}},
		{"=2TB", new(SizeMatch), nil},
		{"80", new(Ports), Ports{80, 80}},
		{"30000-32767", new(Ports), Ports{30000, 32767}},
		{"90-80", new(Ports), nil},
		{"70000", new(Ports), nil},
		{"a", new(Ports), nil},
	} {
		err := c.into.UnmarshalText([]byte(c.in))
		if c.want == nil {
			if err == nil {
				t.Errorf("%q is taken for a %T", c.in, c.into)
			}
			continue
		}
		var got any
		switch v := c.into.(type) {
		case *Duration:
			got = *v
		case *Size:
			got = *v
		case *SizeMatch:
			got = *v
		case *Ports:
			got = *v
		}
		if err != nil || got != c.want {
			t.Errorf("%q: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
	if s := (Ports{80, 80}).String() + " " + (Ports{1, 2}).String(); s != "80 1-2" {
		t.Error(s)
	}
}
