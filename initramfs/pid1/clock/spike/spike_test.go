package spike

import (
	"testing"
	"time"
)

const ms = time.Millisecond

func TestDetector(t *testing.T) {
	steady := []Sample{{10 * ms, 20 * ms}, {11 * ms, 21 * ms}, {9 * ms, 19 * ms}, {10 * ms, 20 * ms}}
	for name, c := range map[string]struct {
		before []Sample // none of them a spike
		burst  bool
		next   Sample
		want   bool
	}{
		"the first":                           {nil, false, Sample{80 * ms, 160 * ms}, false},
		"the second, slow":                    {steady[:1], false, Sample{80 * ms, 160 * ms}, true},
		"the second, not so slow":             {steady[:1], false, Sample{15 * ms, 60 * ms}, false},
		"the second, quick":                   {[]Sample{{80 * ms, 160 * ms}}, false, Sample{-2 * ms, 5 * ms}, false},
		"too few to tell a jump":              {steady[:2], false, Sample{16 * ms, 22 * ms}, false},
		"like the others":                     {steady, false, Sample{11 * ms, 20 * ms}, false},
		"more than the round trip":            {steady, false, Sample{25 * ms, 24 * ms}, false},
		"more than the round trip, back":      {steady, false, Sample{-900 * ms, 24 * ms}, false},
		"round trip three times the shortest": {steady, false, Sample{10 * ms, 57 * ms}, false},
		"round trip longer than that":         {steady, false, Sample{10 * ms, 58 * ms}, true},
		"offset jumped":                       {steady, false, Sample{16 * ms, 22 * ms}, true},
		"offset jumped back":                  {steady, false, Sample{4 * ms, 22 * ms}, true},
		"offset jumped, the quickest":         {steady, false, Sample{16 * ms, 19 * ms}, false},
		"burst, the first":                    {nil, true, Sample{10 * ms, 20 * ms}, false},
		"burst, slower":                       {steady[:1], true, Sample{10 * ms, 21 * ms}, true},
		"burst, quicker":                      {steady[:1], true, Sample{5 * ms, 19 * ms}, false},
		"burst, more than the round trip":     {steady[:1], true, Sample{30 * ms, 25 * ms}, false},
	} {
		var d Detector
		for i, s := range c.before {
			if d.IsSpike(s, false) {
				t.Errorf("%s: sample %d is a spike", name, i)
			}
		}
		if got := d.IsSpike(c.next, c.burst); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestJitter(t *testing.T) {
	var d Detector
	for i, c := range []struct {
		Sample
		want time.Duration
	}{
		{Sample{10 * ms, 30 * ms}, 0},
		{Sample{14 * ms, 20 * ms}, 4 * ms},
		{Sample{17 * ms, 30 * ms}, 3536 * time.Microsecond}, // (10-14)² + (17-14)² = 25, over 3-1
	} {
		d.IsSpike(c.Sample, false)
		if got := d.Jitter().Round(time.Microsecond); got != c.want {
			t.Errorf("%d: %s", i, got)
		}
	}
	d.Reset()
	if d.Jitter() != 0 {
		t.Error(d.Jitter())
	}
}

// TestSettle: how quick an answer can be is still known, the offsets are not.
func TestSettle(t *testing.T) {
	var d Detector
	d.Settle()
	d.IsSpike(Sample{70 * ms, 160 * ms}, true)
	d.IsSpike(Sample{-20 * ms, 10 * ms}, true)
	d.Settle()
	if d.Jitter() != 90*ms {
		t.Errorf("jitter %s", d.Jitter())
	}
	if d.IsSpike(Sample{2 * ms, 11 * ms}, false) || d.Jitter() != 2*ms {
		t.Errorf("a spike, or jitter %s", d.Jitter())
	}
	if !d.IsSpike(Sample{2 * ms, 31 * ms}, false) {
		t.Error("slower than three times the quickest, and no spike")
	}
}

// TestSlowForGood: a network that has become slow is accepted when eight samples say so, and one that was slow for a moment
// does not add up to that.
func TestSlowForGood(t *testing.T) {
	var d Detector
	good, bad := Sample{ms, 10 * ms}, Sample{ms, 50 * ms}
	for range 8 {
		d.IsSpike(good, false)
	}
	d.IsSpike(bad, false)
	for range 7 {
		d.IsSpike(good, false)
	}
	for i := range 7 {
		if !d.IsSpike(bad, false) {
			t.Errorf("sample %d is accepted", i)
		}
	}
	for i := range 8 {
		if d.IsSpike(bad, false) {
			t.Errorf("sample %d after seven is refused", i)
		}
	}
}
