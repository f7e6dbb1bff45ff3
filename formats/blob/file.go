package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/bootwright/bootwright/internal/report"
)

// File is a Blob over an open file whose length is fixed when it is opened. WriteFile shares its blocks where
// the file systems can. A file that shrinks afterwards is an io.ErrUnexpectedEOF that names it.
type File struct {
	f    *os.File
	size int64
}

// OpenFile opens the regular file or block device at path. The caller closes it.
func OpenFile(path string) (*File, error) {
	// Looked at before it is opened: opening a named pipe waits for its writer.
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case st.IsDir():
		return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	case !st.Mode().IsRegular() && st.Mode().Type() != os.ModeDevice:
		return nil, &fs.PathError{Op: "open", Path: path, Err: notRegular(st.Mode())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	// The length of a device is where it ends.
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f, size}, nil
}

func notRegular(m fs.FileMode) error {
	return report.Errorf(report.Invalid, "is not a regular file (%s)", m.Type())
}

// Size is the length in bytes at the time of OpenFile.
func (f *File) Size() int64 { return f.size }

// Name is the path that was opened.
func (f *File) Name() string { return f.f.Name() }

// Close releases the file; the Blob fails from then on.
func (f *File) Close() error { return f.f.Close() }

// Stat is the file's state now.
func (f *File) Stat() (fs.FileInfo, error) { return f.f.Stat() }

// Sync waits until the disk has what anybody wrote to the file.
func (f *File) Sync() error { return f.f.Sync() }

// ReadAt follows io.ReaderAt.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	n, end := clip(p, off, f.size)
	if n == 0 {
		return 0, end
	}
	m, err := f.f.ReadAt(p[:n], off)
	if m < n {
		if err == io.EOF {
			err = fmt.Errorf("%s is now shorter than %d bytes: %w", f.Name(), f.size, io.ErrUnexpectedEOF)
		}
		return m, err
	}
	return n, end
}

// WriteOptions are for WriteFile; the zero value writes a file of mode 0644.
type WriteOptions struct {
	Mode     fs.FileMode       // of a new file, before the umask; zero means 0644
	Progress func(bytes int64) // told of each piece done, holes too; may be nil
}

func (o WriteOptions) progress(n int64) {
	if o.Progress != nil {
		o.Progress(n)
	}
}

// WriteFile writes b to path: beside it under a temporary name, holes skipped, synced, then renamed, so that path
// holds either what it held or all of b, whatever happens meanwhile. A cancelled ctx stops it within one piece. A symbolic
// link at path is replaced; a folder or a device there, or behind the link, is refused.
func WriteFile(ctx context.Context, path string, b Blob, opts WriteOptions) error {
	p, err := WriteBeside(ctx, path, b, opts)
	if err != nil {
		return err
	}
	defer p.Discard()
	return p.Commit()
}

// Pending is a file that is written and synced, and not at its place yet.
type Pending struct{ temp, path string }

// WriteBeside is WriteFile up to the rename, for files of which all or none should change. Each needs Commit or Discard.
func WriteBeside(ctx context.Context, path string, b Blob, opts WriteOptions) (p *Pending, err error) {
	switch st, err := os.Stat(path); {
	case err != nil: // mostly that nothing is there, which is fine
	case st.IsDir():
		return nil, &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	case !st.Mode().IsRegular():
		return nil, &fs.PathError{Op: "write", Path: path, Err: notRegular(st.Mode())}
	}
	mode := opts.Mode
	if mode == 0 {
		mode = 0o644
	}
	f, err := createBeside(path, mode)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if err = writeExtents(ctx, f, b, opts); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if err = f.Truncate(b.Size()); err != nil {
		return nil, err
	}
	if err = f.Sync(); err != nil {
		return nil, err
	}
	if err = f.Close(); err != nil {
		return nil, err
	}
	return &Pending{f.Name(), path}, nil
}

// Commit renames the file to its place.
func (p *Pending) Commit() error {
	if err := os.Rename(p.temp, p.path); err != nil {
		return err
	}
	p.temp = ""
	return syncDir(filepath.Dir(p.path))
}

// Discard removes the file; after Commit it does nothing.
func (p *Pending) Discard() {
	if p.temp != "" {
		os.Remove(p.temp)
	}
}

// createBeside makes a new file in path's folder whose name starts with a dot; unlike os.CreateTemp it lets the umask
// have its say on mode. Its errors name path, which the caller knows.
func createBeside(path string, mode fs.FileMode) (*os.File, error) {
	dir, base := filepath.Split(path)
	base = base[:min(len(base), 200)] // file systems take 255 bytes
	for i := 0; ; i++ {
		name := filepath.Join(dir, fmt.Sprintf(".%s.%d-%d.partial", base, os.Getpid(), i))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode)
		if errors.Is(err, fs.ErrExist) && i < 1000 {
			continue
		}
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			err = &fs.PathError{Op: "write", Path: path, Err: pe.Err}
		}
		return f, err
	}
}

// syncDir makes a rename durable; systems that cannot sync a folder do not need it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer d.Close()
	d.Sync()
	return nil
}

const (
	piece = 256 << 10 // bytes copied between two looks at ctx
	ahead = 4 << 20   // bytes copied before the system is told to write them out: the sync at the end then finds little to do
)

// writeExtents copies what is not a hole to the same offsets of f.
func writeExtents(ctx context.Context, f *os.File, b Blob, opts WriteOptions) error {
	buf := make([]byte, min(piece, b.Size()))
	var at, flushed int64
	for _, e := range Map(b) {
		opts.progress(e.Offset - at)
		at = e.End()
		off := clone(f, e.Offset, e.Blob)
		opts.progress(off)
		if rest := e.Blob.Size() - off; rest >= piece {
			reserve(f, Range{e.Offset + off, rest})
		}
		for off < e.Blob.Size() {
			if err := ctx.Err(); err != nil {
				return err
			}
			n, err := copyPiece(f, e.Offset+off, e.Blob, off, buf)
			if err != nil {
				return fmt.Errorf("%s at offset %d: %w", e.Name, e.Offset+off, err)
			}
			off += n
			opts.progress(n)
			if end := e.Offset + off; end-flushed >= ahead {
				startWriteback(f, Range{flushed, end - flushed})
				flushed = end
			}
		}
	}
	opts.progress(b.Size() - at)
	return nil
}

// copyPiece copies what fits into buf.
func copyPiece(f *os.File, at int64, b Blob, off int64, buf []byte) (int64, error) {
	buf = buf[:min(int64(len(buf)), b.Size()-off)]
	if err := ReadFull(b, buf, off); err != nil {
		return 0, err
	}
	n, err := f.WriteAt(buf, at)
	return int64(n), err
}

// fileRange is the open file behind b and the offset of b's byte off in it, if that is what b is.
func fileRange(b Blob, off int64) (*os.File, int64, bool) {
	switch v := b.(type) {
	case *File:
		return v.f, off, true
	case section:
		return fileRange(v.b, v.off+off)
	}
	return nil, 0, false
}
