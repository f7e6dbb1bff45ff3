package blob_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// device is a file full of old bytes that stands for a disk.
func device(t testing.TB, size int) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "device")
	if err := os.WriteFile(name, bytes.Repeat([]byte{0xff}, size), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWriteDevice(t *testing.T) {
	t.Parallel()
	im, flat := sampleImage(t)
	for _, c := range []struct {
		b    blob.Blob
		want []byte
	}{{im, flat}, {blob.Slice(im, 3, 21<<20), flat[3 : 3+21<<20]}, {blob.Zeros(5001), make([]byte, 5001)}, {blob.Zeros(0), nil}} {
		const room = 31 << 20
		dev := device(t, room)
		var told int64
		if err := blob.WriteDevice(context.Background(), dev, c.b, blob.WriteOptions{Verify: true, Progress: func(n int64) { told += n }}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(dev.Name())
		if err != nil || len(got) != room {
			t.Fatalf("the device has %d bytes now, %v", len(got), err)
		}
		if !bytes.Equal(got[:len(c.want)], c.want) {
			t.Errorf("%d bytes: wrong content", len(c.want))
		}
		if rest := got[len(c.want):]; !bytes.Equal(rest, bytes.Repeat([]byte{0xff}, len(rest))) {
			t.Errorf("%d bytes: what is behind them changed", len(c.want))
		}
		if told != int64(len(c.want)) {
			t.Errorf("%d bytes: progress of %d", len(c.want), told)
		}
	}
}

func TestWriteDeviceTooSmall(t *testing.T) {
	t.Parallel()
	dev := device(t, 100)
	err := blob.WriteDevice(context.Background(), dev, blob.Zeros(101), blob.WriteOptions{})
	if err == nil || !strings.Contains(err.Error(), dev.Name()) || !strings.Contains(err.Error(), "1 less") {
		t.Errorf("%v", err)
	}
	if got, err := os.ReadFile(dev.Name()); err != nil || !bytes.Equal(got, bytes.Repeat([]byte{0xff}, 100)) {
		t.Errorf("the device was written to: %v", err)
	}
}

func TestWriteDeviceFails(t *testing.T) {
	t.Parallel()
	im, _ := sampleImage(t)
	dev := device(t, 30<<20)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := blob.WriteDevice(ctx, dev, im, blob.WriteOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	readOnly, err := os.Open(dev.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	for _, b := range []blob.Blob{im, blob.String("no hole")} {
		if err := blob.WriteDevice(context.Background(), readOnly, b, blob.WriteOptions{}); err == nil || !strings.Contains(err.Error(), dev.Name()) {
			t.Errorf("opened for reading: %v", err)
		}
	}
}

// TestWriteDeviceVerifies has a device that does not keep what it was given.
func TestWriteDeviceVerifies(t *testing.T) {
	t.Parallel()
	im, _ := sampleImage(t)
	for name, off := range map[string]int64{"content": 5 << 20, "a hole": 29<<20 + 7} {
		dev := device(t, 30<<20)
		var told int64
		spoil := func(n int64) {
			if told += n; told == im.Size() {
				if _, err := dev.WriteAt([]byte{0xee}, off); err != nil {
					t.Error(err)
				}
			}
		}
		err := blob.WriteDevice(context.Background(), dev, im, blob.WriteOptions{Verify: true, Progress: spoil})
		if err == nil || !strings.Contains(err.Error(), dev.Name()) || !strings.Contains(err.Error(), "does not hold") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
