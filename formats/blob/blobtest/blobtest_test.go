package blobtest

import (
	"errors"
	"io"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
)

// bad is "0123456789" with one fault.
type bad struct {
	size int64
	read func(p []byte, off int64) (int, error)
}

func (b *bad) Size() int64 { return b.size }

func (b *bad) ReadAt(p []byte, off int64) (int, error) { return b.read(p, off) }

type uncomparable struct {
	blob.Blob
	_ []byte
}

// TestFindsFaults shows that each fault is found by one check at least.
func TestFindsFaults(t *testing.T) {
	t.Parallel()
	const text = "0123456789"
	good := blob.String(text)
	faulty := func(read func(p []byte, off int64) (int, error)) blob.Blob { return &bad{int64(len(text)), read} }
	for name, b := range map[string]blob.Blob{
		"no end": faulty(func(p []byte, off int64) (int, error) {
			n, _ := good.ReadAt(p, off)
			return n, nil
		}),
		"ends early": faulty(func(p []byte, off int64) (int, error) {
			if len(p) > 4 {
				return good.ReadAt(p[:4], off)
			}
			return good.ReadAt(p, off)
		}),
		"wrong end": faulty(func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}),
		"wrong bytes": faulty(func(p []byte, off int64) (int, error) {
			n, err := good.ReadAt(p, off)
			if off == 7 && n > 0 {
				p[0]++
			}
			return n, err
		}),
		"negative offset": faulty(func(p []byte, off int64) (int, error) { return good.ReadAt(p, max(off, 0)) }),
		"no bytes":        faulty(func([]byte, int64) (int, error) { return 0, errors.New("no") }),
		"uncomparable":    uncomparable{good, nil},
	} {
		found := false
		for _, check := range checks() {
			found = found || check(b, []byte(text)) != nil
		}
		if !found {
			t.Errorf("%s is not found", name)
		}
	}
	for _, check := range checks() {
		if err := check(good, []byte(text)); err != nil {
			t.Error(err)
		}
	}
}
