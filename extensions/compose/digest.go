package compose

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

// Digest names what is in t, by everything of it that an image of a layer holds. It reads all contents.
func Digest(ctx context.Context, t *tree.Tree) (blob.Digest, error) {
	sum := sha256.New()
	io.WriteString(sum, "tree v1\n")
	for _, n := range t.Nodes() {
		content, err := blob.Sum(ctx, n.Open())
		if err != nil {
			return "", fmt.Errorf("%s: %w", n.Path, err)
		}
		var seconds int64
		if !n.ModTime.IsZero() {
			seconds = n.ModTime.Unix()
		}
		fmt.Fprintf(sum, "%q %o %d:%d %d %q %s\n", n.Path, tree.UnixMode(n.Mode), n.UID, n.GID, seconds, n.Link, content)
	}
	return blob.Digest("sha256:" + hex.EncodeToString(sum.Sum(nil))), nil
}
