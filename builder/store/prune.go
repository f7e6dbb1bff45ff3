package store

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
)

// Info is what List and Prune say of an entry.
type Info struct {
	Digest blob.Digest
	Size   int64     // bytes
	Used   time.Time // last use, to the hour
}

// List is every entry, the one unused for longest first.
func (s *Store) List() ([]Info, error) {
	files, err := os.ReadDir(s.path("blobs", "sha256"))
	if err != nil {
		return nil, s.broken(err)
	}
	var out []Info
	for _, f := range files {
		d, err := blob.ParseDigest("sha256:" + f.Name())
		if err != nil {
			continue
		}
		info, err := f.Info()
		if err != nil {
			continue // pruned by another process since
		}
		e := Info{d, info.Size(), info.ModTime()}
		if st, err := os.Stat(s.stampPath(string(d))); err == nil {
			e.Used = st.ModTime()
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Info) int { return cmp.Or(a.Used.Compare(b.Used), cmp.Compare(a.Digest, b.Digest)) })
	return out, nil
}

// PruneOptions say what Prune removes; the zero value removes only records that stand for nothing any more.
type PruneOptions struct {
	UnusedFor time.Duration // entries not used for this long; zero sets no limit
	MaxBytes  int64         // then those unused for longest, until the rest is no larger; zero sets no limit
}

// Prune removes entries and returns them. A build that runs meanwhile keeps reading what it opened, and obtains or makes
// again what it did not.
func (s *Store) Prune(ctx context.Context, opts PruneOptions) ([]Info, error) {
	all, err := s.List()
	if err != nil {
		return nil, err
	}
	var total int64
	for _, e := range all {
		total += e.Size
	}
	var removed []Info
	for _, e := range all {
		old := opts.UnusedFor > 0 && time.Since(e.Used) > opts.UnusedFor
		if !old && (opts.MaxBytes <= 0 || total <= opts.MaxBytes) {
			continue
		}
		if ctx.Err() != nil {
			return removed, canceled(ctx)
		}
		if err := os.Remove(s.entry(e.Digest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, s.broken(err)
		}
		total -= e.Size
		removed = append(removed, e)
	}
	s.sweep()
	return removed, s.pruneRecords()
}

// pruneRecords removes stamps of files and keys of entries that are gone, and records that cannot be read.
func (s *Store) pruneRecords() error {
	return errors.Join(
		s.removeRecords("stamps", func(path string) bool {
			var r record
			if !readRecord(path, &r) {
				return true
			}
			if valid(blob.Digest(r.Key)) {
				return s.lacks(blob.Digest(r.Key))
			}
			return gone(r.Key)
		}),
		s.removeRecords("keys", func(path string) bool {
			var d derived
			return !readRecord(path, &d) || !valid(d.Digest) || s.lacks(d.Digest)
		}))
}

func (s *Store) removeRecords(dir string, stale func(path string) bool) error {
	files, err := os.ReadDir(s.path(dir))
	if err != nil {
		return s.broken(err)
	}
	for _, f := range files {
		path := s.path(dir, f.Name())
		if !stale(path) {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.broken(err)
		}
	}
	return nil
}

func (s *Store) lacks(d blob.Digest) bool { return gone(s.entry(d)) }

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
