package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Options are for Open; the zero value is a Store that trusts stamps.
type Options struct {
	Verify   bool              // hash each file at its first use by this Store, whatever its stamp says
	Progress func(bytes int64) // told of each piece hashed or written, from several goroutines; may be nil
}

// Store is a folder of content by digest, for any number of goroutines and processes at once.
//
// A Store owns every file it opened. Its Blobs stay readable, whatever is pruned meanwhile, until Close, which must
// come after the last read. While it is open there is one Blob for each digest: blob.Locate finds content by identity.
// Opening one costs a few system calls; a service opens one for each build.
type Store struct {
	dir  string
	opts Options
	boot string // which start of the system this is, or "" where that cannot be known
	busy keyed

	mu     sync.Mutex
	closed bool
	files  []*blob.File           // everything that Close closes
	blobs  map[blob.Digest]opened // the one Blob of each digest
	seen   map[string]record      // what this Store itself checked, by the record's key
}

type opened struct {
	file  *blob.File
	stamp stamp // at the last check, or zero where it cannot be trusted
}

// Entry is content and its name.
type Entry struct {
	Digest blob.Digest
	Blob   blob.Blob
}

// Open opens the store in the folder dir, making it where it is missing, and sweeps up after processes that died.
func Open(dir string, opts Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, opts: opts, boot: bootID(), blobs: map[blob.Digest]opened{}, seen: map[string]record{}}
	for _, sub := range []string{"blobs/sha256", "keys", "stamps", "locks", "tmp"} {
		// Only for the owner: an image's documents may hold secrets.
		if err := os.MkdirAll(s.path(sub), 0o700); err != nil {
			return nil, s.broken(err)
		}
	}
	tag := s.path("CACHEDIR.TAG")
	if _, err := os.Stat(tag); errors.Is(err, fs.ErrNotExist) {
		// Without it a backup is larger, no more.
		_ = os.WriteFile(tag, []byte("Signature: 8a477f597d28d172789f06886806bc55\n# https://bford.info/cachedir/\n"), 0o644)
	}
	s.sweep()
	return s, nil
}

// Dir is the store's folder, as an absolute path.
func (s *Store) Dir() string { return s.dir }

// Close closes every Blob that came from s. The folder stays as it is.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	s.files, s.blobs = nil, nil
	return errors.Join(errs...)
}

// Blob is the content of digest d: what this Store has open, from wherever, or an entry. One that is missing, or that was
// damaged and is therefore removed, is an error of kind NotFound that says which.
func (s *Store) Blob(ctx context.Context, d blob.Digest) (blob.Blob, error) {
	if _, err := blob.ParseDigest(string(d)); err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	if b, err := s.held(ctx, d); b != nil || err != nil {
		return b, err
	}
	path := s.entry(d)
	c, err := s.check(ctx, string(d), path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, report.Errorf(report.NotFound, "%s is not in the cache %s", d, s.dir)
		}
		return nil, err
	}
	if c.digest != d {
		c.file.Close()
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, s.broken(err)
		}
		return nil, report.Errorf(report.NotFound, "%s in the cache %s was damaged (its content had %s) and is removed", d, s.dir, c.digest)
	}
	return s.adopt(ctx, c)
}

// Check opens the regular file at path, which need not be in the store, and verifies that its digest is want; empty
// means any. The file is used where it lies, and while its stamp stays the same it is not read again. A file that is
// not there is of kind NotFound, one with other content an ErrContent of kind Invalid.
func (s *Store) Check(ctx context.Context, path string, want blob.Digest) (Entry, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Entry{}, err
	}
	c, err := s.check(ctx, path, path)
	if err != nil {
		return Entry{}, err
	}
	if want != "" && c.digest != want {
		c.file.Close()
		return Entry{}, report.Errorf(report.Invalid, "%s: %w: %s, not %s", path, ErrContent, c.digest, want)
	}
	b, err := s.adopt(ctx, c)
	return Entry{c.digest, b}, err
}

// checked is an open file whose content is known.
type checked struct {
	opened
	digest blob.Digest
}

// check opens the file at path and finds its digest, by the record under key where that has the file's stamp.
func (s *Store) check(ctx context.Context, key, path string) (checked, error) {
	done, err := s.busy.lock(ctx, key)
	if err != nil {
		return checked{}, err
	}
	defer done()
	f, err := openRegular(path)
	if err != nil {
		return checked{}, err
	}
	c := checked{opened: opened{file: f}}
	if c.stamp, err = stampOf(f); err == nil {
		if c.digest = s.recall(key, f, c.stamp); c.digest == "" {
			c.digest, c.stamp, err = s.measure(ctx, f)
			// An entry may have been read from memory only; the files of others are theirs to sync.
			ours := key == string(c.digest)
			if c.stamp != (stamp{}) && (!ours || f.Sync() == nil) {
				s.remember(record{key, c.digest, c.stamp, ""})
			}
		}
	}
	if err != nil {
		f.Close()
	}
	return c, err
}

// measure hashes an open file. The stamp is the one that goes with the digest, or zero where a later change might not
// show in it. What changes meanwhile is hashed again: another process may have put the same entry in its place, which
// changes the link count of this file, and so its stamp.
func (s *Store) measure(ctx context.Context, f *blob.File) (blob.Digest, stamp, error) {
	for range 3 {
		began := time.Now()
		before, err := stampOf(f)
		if err != nil {
			return "", stamp{}, err
		}
		d, err := s.sum(ctx, f)
		if err != nil {
			return "", stamp{}, err
		}
		after, err := stampOf(f)
		switch {
		case err != nil:
			return "", stamp{}, err
		case after != before:
			continue
		case !before.settled(began):
			before = stamp{}
		}
		return d, before, nil
	}
	return "", stamp{}, report.Errorf(report.Unavailable, "%s keeps changing while it is read", f.Name())
}

func (s *Store) sum(ctx context.Context, f *blob.File) (blob.Digest, error) {
	d, err := blob.Sum(ctx, metered{f, s.progress})
	switch {
	case ctx.Err() != nil:
		return "", canceled(ctx)
	case err != nil:
		return "", report.Errorf(report.Unavailable, "read %s: %w", f.Name(), err)
	}
	return d, nil
}

// held is the Blob that this Store already has for d, or nil. One whose stamp moved, because the file was pruned,
// linked or written to, is hashed again.
func (s *Store) held(ctx context.Context, d blob.Digest) (blob.Blob, error) {
	s.mu.Lock()
	o, ok := s.blobs[d]
	s.mu.Unlock()
	if !ok {
		return nil, nil
	}
	if now, err := stampOf(o.file); err == nil && now == o.stamp {
		return o.file, nil
	}
	got, st, err := s.measure(ctx, o.file)
	if ctx.Err() != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || got != d {
		delete(s.blobs, d)
		return nil, nil
	}
	s.blobs[d] = opened{o.file, st}
	return o.file, nil
}

// adopt makes c the Blob of its digest, or closes it for the one that is already.
func (s *Store) adopt(ctx context.Context, c checked) (blob.Blob, error) {
	if b, err := s.held(ctx, c.digest); b != nil || err != nil {
		c.file.Close()
		return b, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.blobs[c.digest]; ok || s.closed {
		c.file.Close()
		if s.closed {
			return nil, fmt.Errorf("the cache %s is closed", s.dir)
		}
		return have.file, nil
	}
	s.files = append(s.files, c.file)
	s.blobs[c.digest] = c.opened
	return c.file, nil
}

func (s *Store) progress(n int64) {
	if s.opts.Progress != nil {
		s.opts.Progress(n)
	}
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *Store) entry(d blob.Digest) string { return s.path("blobs", "sha256", d.Hex()) }

// broken is an error of the folder itself.
func (s *Store) broken(err error) error {
	hint := "choose another folder with --cache-dir"
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		hint = "free some space there, or " + hint
	}
	return report.WithHint(report.Errorf(report.Unavailable, "cache %s: %w", s.dir, err), "%s", hint)
}

func canceled(ctx context.Context) error {
	return report.Errorf(report.Canceled, "%w", context.Cause(ctx))
}

// openRegular refuses what is no regular file before it opens it: opening a named pipe would wait for a writer.
func openRegular(path string) (*blob.File, error) {
	st, err := os.Stat(path)
	if err == nil && !st.Mode().IsRegular() {
		return nil, report.Errorf(report.Invalid, "%s is not a regular file", path)
	}
	if err == nil {
		var f *blob.File
		if f, err = blob.OpenFile(path); err == nil {
			return f, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, report.Errorf(report.NotFound, "%w", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, report.Errorf(report.Unavailable, "%w", err)
	}
	return nil, report.Errorf(report.Invalid, "%w", err)
}

// metered is a Blob that tells how much of it is read.
type metered struct {
	blob.Blob
	tell func(int64)
}

func (m metered) ReadAt(p []byte, off int64) (int, error) {
	n, err := m.Blob.ReadAt(p, off)
	m.tell(int64(n))
	return n, err
}
