package spike

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestDetector(t *testing.T) {
	steady := []Sample{{1 * ms, 50 * ms}, {10 * ms, 20 * ms}, {11 * ms, 21 * ms}, {9 * ms, 19 * ms}, {10 * ms, 20 * ms}}
	for name, c := range map[string]struct {
		before []Sample // none of them a spike
		next   Sample
		want   bool
	}{
		"the first":                           {nil, Sample{10 * ms, 20 * ms}, false},
		"too few to tell":                     {steady[:2], Sample{15 * ms, 90 * ms}, false},
		"enough to tell":                      {steady[:3], Sample{15 * ms, 90 * ms}, true},
		"like the others":                     {steady, Sample{11 * ms, 20 * ms}, false},
		"more than the round trip":            {steady, Sample{25 * ms, 24 * ms}, false},
		"more than the round trip, back":      {steady, Sample{-900 * ms, 24 * ms}, false},
		"round trip three times the shortest": {steady, Sample{10 * ms, 57 * ms}, false},
		"round trip longer than that":         {steady, Sample{10 * ms, 58 * ms}, true},
		"offset jumped":                       {steady, Sample{16 * ms, 22 * ms}, true},
		"offset jumped back":                  {steady, Sample{4 * ms, 22 * ms}, true},
	} {
		var d Detector
		for i, s := range c.before {
			if d.IsSpike(s) {
				t.Errorf("%s: sample %d is a spike", name, i)
			}
		}
		if got := d.IsSpike(c.next); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestJitter(t *testing.T) {
	var d Detector
	for _, s := range []Sample{{900 * ms, 0}, {10 * ms, 30 * ms}, {14 * ms, 20 * ms}, {17 * ms, 30 * ms}} {
		d.IsSpike(s)
	}
	// (10-14)² + (17-14)² = 25, over 3-1; the first does not count
	if got := d.Jitter().Round(time.Microsecond); got != 3536*time.Microsecond {
		t.Error(got)
	}
	d.Reset()
	if d.Jitter() != 0 {
		t.Error(d.Jitter())
	}
}

// TestSlowForGood: a network that has become slow is accepted when eight samples say so, and one that was slow for a moment
// does not add up to that.
func TestSlowForGood(t *testing.T) {
	var d Detector
	good, bad := Sample{ms, 10 * ms}, Sample{ms, 50 * ms}
	for range 8 {
		d.IsSpike(good)
	}
	d.IsSpike(bad)
	for range 7 {
		d.IsSpike(good)
	}
	for i := range 7 {
		if !d.IsSpike(bad) {
			t.Errorf("sample %d is accepted", i)
		}
	}
	for i := range 8 {
		if d.IsSpike(bad) {
			t.Errorf("sample %d after seven is refused", i)
		}
	}
}
