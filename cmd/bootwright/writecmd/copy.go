package writecmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/install"
)

// piece is what is read, compared, written and verified at a time, in bytes.
const piece = 4 << 20

// copied counts what copying did, in bytes.
type copied struct {
	Written int64 `json:"written"`
	Zeroed  int64 `json:"zeroed"` // discarded, or written as zeros
	Kept    int64 `json:"kept"`   // was there already
}

// copyTo writes the disk that r reads onto dev. With resume it reads first what is there, and writes only what differs. It returns
// the digest of each piece, for verify.
func copyTo(ctx context.Context, dev install.Device, r io.Reader, resume bool, step func(int64)) (c copied, sums [][32]byte, err error) {
	want, got := make([]byte, piece), make([]byte, piece)
	for at := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return c, nil, err
		}
		n, err := io.ReadFull(r, want)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return c, nil, err
		}
		if n == 0 {
			return c, sums, dev.Sync()
		}
		p := want[:n]
		sums = append(sums, sha256.Sum256(p))
		there := false
		if resume {
			if _, err := dev.ReadAt(got[:n], at); err != nil {
				return c, nil, fmt.Errorf("read at %d: %w", at, err)
			}
			there = bytes.Equal(p, got[:n])
		}
		switch {
		case there:
			c.Kept += int64(n)
		case len(bytes.TrimLeft(p, "\x00")) == 0:
			if err := dev.Zero(at, int64(n)); err != nil {
				return c, nil, fmt.Errorf("zero at %d: %w", at, err)
			}
			c.Zeroed += int64(n)
		default:
			if _, err := dev.WriteAt(p, at); err != nil {
				return c, nil, fmt.Errorf("write at %d: %w", at, err)
			}
			c.Written += int64(n)
		}
		at += int64(n)
		step(int64(n))
	}
}

// moveTable makes the partition table that of the whole disk, where the image was one of a smaller disk. The old one holds until the
// last write; what was copied is compared before, and what is written here afterwards.
func moveTable(ctx context.Context, dev install.Device, check bool) (bool, error) {
	writes, err := gpt.Move(dev)
	if err != nil || len(writes) == 0 {
		return false, err
	}
	for _, e := range writes {
		p, err := blob.ReadAll(e.Blob, piece)
		if err != nil {
			return false, err
		}
		if _, err := dev.WriteAt(p, e.Offset); err != nil {
			return false, fmt.Errorf("write %s at %d: %w", e.Name, e.Offset, err)
		}
		if err := errors.Join(ctx.Err(), dev.Sync()); err != nil {
			return false, err
		}
	}
	if !check {
		return true, nil
	}
	t, err := gpt.Read(dev)
	if err == nil {
		writes, err = gpt.Move(dev)
	}
	if err == nil && (t.RecoveredFromBackup || t.BackupDamaged || len(writes) > 0) {
		err = report.Errorf(report.Invalid, "the partition table is not there as it was written; the device is failing")
	}
	return true, err
}

// verify reads size bytes back and compares them with the digests of copyTo.
func verify(ctx context.Context, dev install.Device, size int64, sums [][32]byte, step func(int64)) error {
	got := make([]byte, piece)
	for i, sum := range sums {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := int64(i) * piece
		p := got[:min(piece, size-at)]
		if _, err := dev.ReadAt(p, at); err != nil {
			return fmt.Errorf("read back at %d: %w", at, err)
		}
		if sha256.Sum256(p) != sum {
			return report.Errorf(report.Invalid, "what was written between %d and %d is not there; the device is failing", at, at+int64(len(p)))
		}
		step(int64(len(p)))
	}
	return nil
}
