package blockdev

import "testing"

// TestPretty has the sizes that the guide shows.
func TestPretty(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1 << 20: "1.0 MB", 9_949_999: "9.9 MB", 100 << 20: "105 MB", 2_147_483_648: "2.1 GB",
		10_485_760_000: "10 GB", 999_999: "1000 kB", 1 << 63: "9.2 EB",
	} {
		if got := Pretty(n); got != want {
			t.Errorf("Pretty(%d) = %s, want %s", n, got, want)
		}
	}
}
