package pe

import (
	"os"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/pe/petest"
)

// change is a synthetic stub with the little-endian bytes of v at off.
func change(off int, v uint32, size int) []byte {
	p := petest.Stub()
	for i := range size {
		p[off+i] = byte(v >> (8 * i))
	}
	return p
}

// stubs are the synthetic one and, where it is installed, systemd's.
func stubs(t testing.TB) map[string]blob.Blob {
	m := map[string]blob.Blob{"synthetic": blob.Bytes(petest.Stub())}
	if p, err := os.ReadFile("/usr/lib/systemd/boot/efi/linuxx64.efi.stub"); err == nil {
		m["systemd"] = blob.Bytes(p)
	} else if os.Getenv("BOOTWRIGHT_REQUIRE_TOOLS") == "1" {
		t.Fatalf("systemd's EFI stub is required here: %v", err)
	}
	return m
}
