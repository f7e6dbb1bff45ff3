package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
)

// The modes of new files.
const (
	secret = fs.FileMode(0o600)
	public = fs.FileMode(0o644)
)

// output is a file to write; path - is standard output.
type output struct {
	path string
	data []byte
	mode fs.FileMode
}

// write writes all outputs or, if one of them is there already and force is not given, none. Each file is complete or not
// there.
func (a *app) write(ctx context.Context, force bool, outs ...output) error {
	for _, o := range outs {
		if _, err := os.Lstat(o.path); err == nil && !force && o.path != "-" {
			return report.WithHint(report.Errorf(report.Invalid, "%s is there already", o.path), "give --force to replace it, or another name")
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, o := range outs {
		if o.path == "-" {
			if _, err := a.stdout.Write(o.data); err != nil {
				return fmt.Errorf("write to standard output: %w", err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(o.path), 0o755); err != nil {
			return err
		}
		if err := blob.WriteFile(ctx, o.path, bytes.NewReader(o.data), blob.WriteOptions{Mode: o.mode}); err != nil {
			return err
		}
		if !a.quiet {
			fmt.Fprintf(a.stderr, "wrote %s\n", o.path)
		}
	}
	return nil
}

// maxInput bounds what is read of a file, in bytes: more than any configuration may have.
const maxInput = 32 << 20

// read is the file at path; - is standard input.
func (a *app) read(ctx context.Context, path string) ([]byte, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := cli.ReadAll(ctx, io.LimitReader(in, maxInput+1))
	if err == nil && len(data) > maxInput {
		return nil, report.Errorf(report.Invalid, "%s: more than %d bytes", path, maxInput)
	}
	return data, err
}
