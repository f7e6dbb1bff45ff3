package main

import (
	"context"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
)

// copyOut writes b in order and stops when ctx does.
func copyOut(ctx context.Context, w io.Writer, b blob.Blob) error {
	if _, err := io.CopyBuffer(interruptible{ctx, w}, blob.Reader(b), make([]byte, 256<<10)); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// interruptible is a writer that an interrupt can end while nobody takes what it writes, such as the other end of a pipe.
// The writer must not be used any more after that.
type interruptible struct {
	ctx context.Context
	w   io.Writer
}

func (i interruptible) Write(p []byte) (int, error) {
	return cli.Await(i.ctx, func() (int, error) { return i.w.Write(p) })
}
