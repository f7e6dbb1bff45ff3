package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/bootwright/bootwright/formats/blob"
)

// printJSON prints v indented, with a newline at the end and without escaping HTML.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

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
	return await(i.ctx, func() (int, error) { return i.w.Write(p) })
}

// await is what do returns, or the end of ctx where that comes first: do then goes on by itself.
func await[T any](ctx context.Context, do func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	if err := ctx.Err(); err != nil {
		return *new(T), err
	}
	done := make(chan result, 1)
	go func() {
		v, err := do()
		done <- result{v, err}
	}()
	select {
	case got := <-done:
		return got.v, got.err
	case <-ctx.Done():
		return *new(T), ctx.Err()
	}
}
