package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
)

// Digest names content as "sha256:" and 64 lower-case hexadecimal digits, as OCI does.
type Digest string

// ParseDigest checks the form of s.
func ParseDigest(s string) (Digest, error) {
	h, ok := strings.CutPrefix(s, "sha256:")
	if b, err := hex.DecodeString(h); !ok || err != nil || len(b) != sha256.Size || h != strings.ToLower(h) {
		return "", fmt.Errorf("%.80q is not a digest; it should be sha256: and 64 lower-case hexadecimal digits", s)
	}
	return Digest(s), nil
}

// Hex is the digest without its algorithm.
func (d Digest) Hex() string { return strings.TrimPrefix(string(d), "sha256:") }

// Short is enough of the digest for a person: 12 digits.
func (d Digest) Short() string { h := d.Hex(); return h[:min(12, len(h))] }

// Sum reads all of b and returns its SHA-256 digest.
func Sum(ctx context.Context, b Blob) (Digest, error) {
	h := sha256.New()
	buf := make([]byte, min(max(b.Size(), 1), 128<<10))
	for off := int64(0); off < b.Size(); off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n := min(int64(len(buf)), b.Size()-off)
		if err := ReadFull(b, buf[:n], off); err != nil {
			return "", err
		}
		h.Write(buf[:n])
	}
	return Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), nil
}

// SumBytes is the digest of p.
func SumBytes(p []byte) Digest {
	s := sha256.Sum256(p)
	return Digest("sha256:" + hex.EncodeToString(s[:]))
}

// Equal reads a and b and returns the offset of the first difference, or -1.
func Equal(ctx context.Context, a, b Blob) (int64, error) {
	size := min(a.Size(), b.Size())
	piece := min(max(size, 1), 1<<20)
	pa, pb := make([]byte, piece), make([]byte, piece)
	for off := int64(0); off < size; off += int64(len(pa)) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n := min(int64(len(pa)), size-off)
		if err := ReadFull(a, pa[:n], off); err != nil {
			return 0, err
		}
		if err := ReadFull(b, pb[:n], off); err != nil {
			return 0, err
		}
		if !bytes.Equal(pa[:n], pb[:n]) {
			for i := range pa {
				if pa[i] != pb[i] {
					return off + int64(i), nil
				}
			}
		}
	}
	if a.Size() != b.Size() {
		return size, nil
	}
	return -1, nil
}

var _ io.WriterTo = (*Image)(nil)
