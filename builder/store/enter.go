package store

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// ErrContent is in an error about content that has not the digest or the length wanted.
var ErrContent = errors.New("wrong content")

// piece is how much is hashed and written at a time.
const piece = 256 << 10

// Put takes content into the store while it hashes it. Where want is not empty it must be the content's digest, and
// where size is not negative its length, else nothing is kept and the error, an ErrContent of kind Invalid, names both; no more than
// size+1 bytes are read. An error of r comes back as it is, one of the disk with kind Unavailable.
func (s *Store) Put(ctx context.Context, want blob.Digest, size int64, r io.Reader) (Entry, error) {
	w, err := s.writer(ctx)
	if err != nil {
		return Entry{}, err
	}
	defer discard(w.f)
	w.durable = true
	if n := size + 1; n > 0 {
		r = io.LimitReader(r, n)
	}
	// Hiding the reader's other methods keeps pieces bounded: a WriterTo may write everything at once.
	if _, err := io.CopyBuffer(w, struct{ io.Reader }{r}, make([]byte, piece)); err != nil {
		return Entry{}, err
	}
	return w.enter(want, size)
}

// Obtain is the entry of digest d, and where there is none it is Put there from what open returns. Goroutines and
// processes that want the same at the same time wait for the first.
func (s *Store) Obtain(ctx context.Context, d blob.Digest, size int64, open func(context.Context) (io.ReadCloser, error)) (Entry, error) {
	have := func() (Entry, error) {
		b, err := s.Blob(ctx, d)
		return Entry{d, b}, err
	}
	return s.once(ctx, "obtain "+string(d), have, func() (Entry, error) {
		r, err := open(ctx)
		if err != nil {
			return Entry{}, err
		}
		defer r.Close()
		return s.Put(ctx, d, size, r)
	})
}

// Spool is derived content: what write writes, which the store keeps, and under key remembers that it did. key names
// everything the content depends on: the digests of its inputs, the settings, and the version of the code that makes
// it. Later calls only look it up. It is not waited for until the disk has it, as it can be made again: the file that is built of it
// is what a power cut must not touch. Goroutines and processes that want the same key at the same time wait for the first;
// where that one fails or dies, the next does it. write must not Spool the same key.
func (s *Store) Spool(ctx context.Context, key string, write func(context.Context, io.Writer) error) (Entry, error) {
	have := func() (Entry, error) { return s.Spooled(ctx, key) }
	return s.once(ctx, "spool "+key, have, func() (Entry, error) {
		w, err := s.writer(ctx)
		if err != nil {
			return Entry{}, err
		}
		defer discard(w.f)
		// It also keeps an error of the disk that write ignores.
		buf := bufio.NewWriterSize(w, piece)
		if err := write(ctx, buf); err != nil {
			return Entry{}, err
		}
		if err := buf.Flush(); err != nil {
			return Entry{}, err
		}
		e, err := w.enter("", -1)
		if err != nil {
			return Entry{}, err
		}
		if err := s.writeRecord(s.keyPath(key), derived{key, e.Digest}); err != nil {
			return Entry{}, s.broken(err)
		}
		return e, nil
	})
}

// derived says which content was made for a key.
type derived struct {
	Key    string      `json:"key"`
	Digest blob.Digest `json:"digest"`
}

// Spooler is a Store for those who only want the content of what they spool.
type Spooler struct{ Store *Store }

// Spool follows Store.Spool.
func (s Spooler) Spool(ctx context.Context, key string, write func(context.Context, io.Writer) error) (blob.Blob, error) {
	e, err := s.Store.Spool(ctx, key, write)
	return e.Blob, err
}

func (s *Store) keyPath(key string) string { return s.path("keys", hashed(key)) }

// Spooled is what Spool keeps under key, or an error of kind NotFound.
func (s *Store) Spooled(ctx context.Context, key string) (Entry, error) {
	var d derived
	if !readRecord(s.keyPath(key), &d) || d.Key != key || !valid(d.Digest) {
		return Entry{}, report.Errorf(report.NotFound, "nothing was made for key %q", key)
	}
	b, err := s.Blob(ctx, d.Digest)
	return Entry{d.Digest, b}, err
}

// once returns what have finds, and where that is nothing what do does, one at a time for each task.
func (s *Store) once(ctx context.Context, task string, have, do func() (Entry, error)) (Entry, error) {
	if e, err := have(); report.KindOf(err) != report.NotFound {
		return e, err
	}
	done, err := s.exclusive(ctx, task)
	if err != nil {
		return Entry{}, err
	}
	defer done()
	if e, err := have(); report.KindOf(err) != report.NotFound {
		return e, err
	}
	return do()
}

// writer hashes what it writes to a temporary file.
type writer struct {
	ctx     context.Context
	s       *Store
	f       *os.File
	hash    hash.Hash
	n       int64
	durable bool // it is on the disk before it has a name
}

func (s *Store) writer(ctx context.Context) (*writer, error) {
	f, err := s.temp()
	if err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, s: s, f: f, hash: sha256.New()}, nil
}

func (w *writer) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, canceled(w.ctx)
	}
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.n += int64(n)
	w.s.progress(int64(n))
	if err != nil {
		err = w.s.broken(err)
	}
	return n, err
}

// enter gives what was written its name.
func (w *writer) enter(want blob.Digest, size int64) (Entry, error) {
	d := blob.Digest("sha256:" + hex.EncodeToString(w.hash.Sum(nil)))
	switch {
	case size >= 0 && w.n > size:
		return Entry{}, report.Errorf(report.Invalid, "%w: longer than the %d bytes wanted", ErrContent, size)
	case size >= 0 && w.n < size:
		return Entry{}, report.Errorf(report.Invalid, "%w: %d bytes, not the %d wanted", ErrContent, w.n, size)
	case want != "" && d != want:
		return Entry{}, report.Errorf(report.Invalid, "%w: %s, not %s", ErrContent, d, want)
	}
	// The entry that is there stays, unless it is damaged: others may have it open and stamped.
	b, err := w.s.Blob(w.ctx, d)
	if report.KindOf(err) != report.NotFound {
		return Entry{d, b}, err
	}
	if err := w.publish(d); err != nil {
		return Entry{}, w.s.broken(err)
	}
	b, err = w.s.Blob(w.ctx, d)
	return Entry{d, b}, err
}

// publish moves the temporary file to its entry and records its stamp.
func (w *writer) publish(d blob.Digest) error {
	if err := w.f.Chmod(0o400); err != nil {
		return err
	}
	boot := w.s.boot
	if w.durable || boot == "" {
		boot = ""
		if err := w.f.Sync(); err != nil {
			return err
		}
	}
	// The folder is not synced: an entry that is missing after a crash is no harm.
	if err := os.Rename(w.f.Name(), w.s.entry(d)); err != nil {
		return err
	}
	info, err := w.f.Stat()
	if err != nil {
		return err
	}
	w.s.remember(record{string(d), d, stampFrom(info), boot})
	return nil
}
