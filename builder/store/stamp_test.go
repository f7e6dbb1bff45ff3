package store

import (
	"testing"
	"time"
)

func TestSettled(t *testing.T) {
	t.Parallel()
	began := time.Unix(1_700_000_000, 500_000_000)
	for _, c := range []struct {
		name  string
		ctime time.Time
		want  bool
	}{
		{"long ago", began.Add(-time.Hour), true},
		{"fine times, a tick ago", began.Add(-21*time.Millisecond - 7), true},
		{"fine times, same tick", began.Add(-19*time.Millisecond - 7), false},
		{"coarse times, a second ago", time.Unix(1_699_999_999, 0), false},
		{"coarse times, two seconds ago", time.Unix(1_699_999_998, 0), true},
		{"10 ms times, a second ago", began.Add(-time.Second + 10*time.Millisecond), false},
		{"later than the clock", began.Add(time.Hour + 7), false},
	} {
		if got := (stamp{CTime: c.ctime.UnixNano()}).settled(began); got != c.want {
			t.Errorf("%s: settled = %v, want %v", c.name, got, c.want)
		}
	}
}
