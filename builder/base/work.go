package base

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bootwright/bootwright/builder/base/flock"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// workPrefix begins the names of temporary folders.
const workPrefix = "build-"

// newWork makes a temporary folder in parent, and removes those of builds that were killed. remove removes the new one.
func newWork(ctx context.Context, parent string) (dir string, remove func() error, err error) {
	if dir, remove, err = makeWork(ctx, parent); err != nil && ctx.Err() == nil {
		err = report.WithHint(report.Errorf(report.Invalid, "working folder: %w", err), "name a folder that can be written")
	}
	return dir, remove, err
}

func makeWork(ctx context.Context, parent string) (dir string, remove func() error, err error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", nil, err
	}
	all, err := os.Open(parent)
	if err != nil {
		return "", nil, err
	}
	defer all.Close()
	if err := flock.Wait(ctx, all); err != nil { // a folder that is not locked yet must not be swept up
		return "", nil, err
	}
	sweep(parent)
	if dir, err = os.MkdirTemp(parent, workPrefix); err != nil {
		return "", nil, err
	}
	lock, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	remove = func() error {
		defer lock.Close()
		return os.RemoveAll(dir)
	}
	return dir, remove, flock.Wait(ctx, lock)
}

// sweep removes temporary folders that no living process has locked. It is a courtesy: what it cannot remove stays.
func sweep(parent string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, workPrefix+"*"))
	for _, dir := range dirs {
		f, err := os.Open(dir)
		if err != nil {
			continue
		}
		if free, err := flock.Try(f); free && err == nil {
			os.RemoveAll(dir)
		}
		f.Close()
	}
}

// place writes content to a new file in the temporary folder.
func place(name string, content blob.Blob, mode fs.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, blob.Reader(content))
	return errors.Join(err, f.Close())
}
