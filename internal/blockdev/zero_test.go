package blockdev

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestZero: a range becomes zeros by discarding it and by writing them, which is for devices that cannot discard; what is around
// it stays.
func TestZero(t *testing.T) {
	t.Parallel()
	for how, zero := range map[string]func(d *Disk, off, size int64) error{
		"as it can": (*Disk).Zero,
		"written":   func(d *Disk, off, size int64) error { return writeZeros(d.File, off, size) },
	} {
		old := bytes.Repeat([]byte{0xff}, 3<<20)
		name := filepath.Join(t.TempDir(), "device")
		if err := os.WriteFile(name, old, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		const off, size = 5, 2<<20 + 1
		if err := zero(d, off, size); err != nil {
			t.Errorf("%s: %v", how, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		clear(old[off : off+size])
		if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, old) {
			t.Errorf("%s: wrong bytes, %v", how, err)
		}
		if err := zero(d, off, size); err == nil {
			t.Errorf("%s: a closed disk takes zeros", how)
		}
	}
}
