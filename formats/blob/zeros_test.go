package blob

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteZeros is about devices that cannot discard, which no file system here stands for.
func TestWriteZeros(t *testing.T) {
	t.Parallel()
	old := bytes.Repeat([]byte{0xff}, 3<<20)
	name := filepath.Join(t.TempDir(), "device")
	if err := os.WriteFile(name, old, 0o644); err != nil {
		t.Fatal(err)
	}
	dev, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	hole := Range{5, 2<<20 + 1}
	if err := writeZeros(context.Background(), dev, hole); err != nil {
		t.Fatal(err)
	}
	clear(old[hole.Offset : hole.Offset+hole.Length])
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, old) {
		t.Errorf("wrong bytes, %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := writeZeros(ctx, dev, hole); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
