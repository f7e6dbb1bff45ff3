package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/store"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

func open(t testing.TB, dir string, opts store.Options) *store.Store {
	t.Helper()
	s, err := store.Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *store.Store, content string) store.Entry {
	t.Helper()
	e, err := s.Put(t.Context(), "", -1, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func wantContent(t testing.TB, b blob.Blob, want string) {
	t.Helper()
	p, err := blob.ReadAll(b, 1<<20)
	if err != nil || string(p) != want {
		t.Errorf("content is %.40q, %v; want %.40q", p, err, want)
	}
}

func wantError(t testing.TB, err error, kind report.Kind, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", parts)
	}
	if got := report.KindOf(err); got != kind {
		t.Errorf("error is %s, want %s: %v", got, kind, err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}

// files is every file below dir but the tag, relative.
func files(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "CACHEDIR.TAG" {
			rel, _ := filepath.Rel(dir, path)
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func entryPath(s *store.Store, d blob.Digest) string {
	return filepath.Join(s.Dir(), "blobs", "sha256", d.Hex())
}

// settle waits until the clock that stamps files has moved on, so that a stamp taken now is trusted.
func settle() { time.Sleep(30 * time.Millisecond) }

// meter counts the bytes that a store hashed or wrote.
type meter struct{ n atomic.Int64 }

func (m *meter) tell(n int64) { m.n.Add(n) }
func (m *meter) take() int64  { return m.n.Swap(0) }

func TestPutKeepsContentByDigest(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	for _, content := range []string{"", "x", strings.Repeat("content ", 100_000)} {
		want := blob.SumBytes([]byte(content))
		e, err := s.Put(t.Context(), want, int64(len(content)), strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		if e.Digest != want {
			t.Errorf("digest %s, want %s", e.Digest, want)
		}
		wantContent(t, e.Blob, content)
		if _, ok := e.Blob.(*blob.File); !ok {
			t.Errorf("entry is a %T, which WriteFile cannot copy in the kernel", e.Blob)
		}
	}
}

func TestPutRefusesOtherContent(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	right, wrong := blob.SumBytes([]byte("right")), blob.SumBytes([]byte("wrong"))
	broken := errors.New("line is cut")
	for _, c := range []struct {
		name  string
		want  blob.Digest
		size  int64
		r     io.Reader
		parts []string
	}{
		{"digest", right, -1, strings.NewReader("wrong"), []string{string(right), string(wrong)}},
		{"short", right, 6, strings.NewReader("right"), []string{"5 bytes", "6"}},
		{"long", right, 4, strings.NewReader("right"), []string{"longer", "4 bytes"}},
		{"endless", right, 4, zeros{}, []string{"longer", "4 bytes"}},
		{"huge size", right, math.MaxInt64, strings.NewReader("right"), []string{"5 bytes", "9223372036854775807"}},
		{"reader", right, 5, io.MultiReader(strings.NewReader("ri"), failing{broken}), []string{"line is cut"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Put(t.Context(), c.want, c.size, c.r)
			if c.name == "reader" {
				if !errors.Is(err, broken) {
					t.Errorf("error %v, want the reader's own", err)
				}
			} else {
				wantError(t, err, report.Invalid, c.parts...)
			}
			if got := files(t, s.Dir()); len(got) > 0 {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestPutStopsWhenCanceled(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var n int
	r := readerFunc(func(p []byte) (int, error) {
		if n++; n == 3 {
			cancel()
		}
		return len(p), nil
	})
	_, err := s.Put(ctx, "", -1, r)
	wantError(t, err, report.Canceled, "canceled")
	if got := files(t, s.Dir()); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestOneBlobForEachDigest(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	a := put(t, s, "same")
	b := put(t, s, "same")
	path := filepath.Join(t.TempDir(), "elsewhere")
	writeFile(t, path, "same")
	c, err := s.Check(t.Context(), path, "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.Blob(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if a.Blob != b.Blob || a.Blob != c.Blob || a.Blob != d {
		t.Errorf("four Blobs of one digest: %p %p %p %p", a.Blob, b.Blob, c.Blob, d)
	}
}

func TestBlobsOutliveTheFolderUntilClose(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, store.Options{})
	e := put(t, s, "still here")
	if _, err := s.Prune(t.Context(), store.PruneOptions{UnusedFor: 1}); err != nil {
		t.Fatal(err)
	}
	wantContent(t, e.Blob, "still here")
	again, err := s.Blob(t.Context(), e.Digest)
	if err != nil || again != e.Blob {
		t.Errorf("Blob of a pruned entry that is open = %v, %v; want the same Blob", again, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Blob.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after Close: %v, want closed", err)
	}
	if _, err := s.Put(t.Context(), "", -1, strings.NewReader("late")); err == nil {
		t.Error("Put after Close gave a Blob that nobody closes")
	}
}

func TestBlobNotThere(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	d := blob.SumBytes([]byte("never"))
	_, err := s.Blob(t.Context(), d)
	wantError(t, err, report.NotFound, string(d), s.Dir())
	for _, bad := range []blob.Digest{"", "sha256:", "sha256:../../../../etc/passwd", "md5:00"} {
		_, err := s.Blob(t.Context(), bad)
		wantError(t, err, report.Invalid, "is not a digest")
	}
}

func TestWarmOpenReadsNothing(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "kernel")
	e := put(t, open(t, dir, store.Options{}), "entry")
	writeFile(t, outside, "kernel")
	settle()
	if _, err := open(t, dir, store.Options{}).Check(t.Context(), outside, ""); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		verify bool
		want   int64
	}{{false, 0}, {true, int64(len("entry") + len("kernel"))}} {
		var m meter
		s := open(t, dir, store.Options{Verify: c.verify, Progress: m.tell})
		for range 3 {
			if _, err := s.Blob(t.Context(), e.Digest); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Check(t.Context(), outside, ""); err != nil {
				t.Fatal(err)
			}
		}
		if got := m.take(); got != c.want {
			t.Errorf("Verify %v: %d bytes hashed, want %d", c.verify, got, c.want)
		}
	}
}

// poison overwrites a file in place and restores its modification time.
func poison(t *testing.T, path, content string) {
	t.Helper()
	settle() // a change in the tick of the entering is out of reach; see the package's text
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, content)
	if err := os.Chmod(path, before.Mode()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, before.ModTime()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) {
		t.Fatalf("poison shows: %v, %v, %v", before, after, err)
	}
}

func TestPoisonedEntryIsCaught(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(t *testing.T, path string)
	}{
		{"same size and mtime", func(t *testing.T, path string) { poison(t, path, "evil content") }},
		{"truncated", func(t *testing.T, path string) { must(t, os.Truncate(path, 3)) }},
		{"replaced", func(t *testing.T, path string) {
			must(t, os.Remove(path))
			writeFile(t, path, "evil content")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, t.TempDir(), store.Options{})
			e := put(t, s, "good content")
			c.harm(t, entryPath(s, e.Digest))

			fresh := open(t, s.Dir(), store.Options{})
			_, err := fresh.Blob(t.Context(), e.Digest)
			wantError(t, err, report.NotFound, string(e.Digest), "damaged")
			if _, err := os.Stat(entryPath(s, e.Digest)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("damaged entry is still there: %v", err)
			}
			again := put(t, fresh, "good content")
			wantContent(t, again.Blob, "good content")
		})
	}
}

func TestEntryPoisonedWhileOpenIsCaught(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	e := put(t, s, "good content")
	poison(t, entryPath(s, e.Digest), "evil content")
	_, err := s.Blob(t.Context(), e.Digest)
	wantError(t, err, report.NotFound, "damaged")
	again := put(t, s, "good content")
	wantContent(t, again.Blob, "good content")
	if b, err := s.Blob(t.Context(), e.Digest); err != nil || b != again.Blob {
		t.Errorf("Blob = %v, %v; want the new one", b, err)
	}
}

func TestEntryTouchedButRightIsKept(t *testing.T) {
	t.Parallel()
	var m meter
	s := open(t, t.TempDir(), store.Options{})
	e := put(t, s, "content")
	must(t, os.Chtimes(entryPath(s, e.Digest), time.Time{}, time.Unix(1, 0)))
	settle()
	for _, want := range []int64{int64(len("content")), 0} {
		b, err := open(t, s.Dir(), store.Options{Progress: m.tell}).Blob(t.Context(), e.Digest)
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, b, "content")
		if got := m.take(); got != want {
			t.Errorf("%d bytes hashed, want %d", got, want)
		}
	}
}

func TestForgedRecordsAreNotBelieved(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	e := put(t, s, "content")
	spool(t, s, "key", "content")
	for _, soup := range []string{"", "{", "null", "[]", `{"key":"x"}`, `{"digest":"sha256:../.."}`, `{"key":"key","digest":"sha256:zz"}`, strings.Repeat("[", 50_000)} {
		for _, dir := range []string{"stamps", "keys"} {
			for _, name := range files(t, filepath.Join(s.Dir(), dir)) {
				writeFile(t, filepath.Join(s.Dir(), dir, name), soup)
			}
		}
		fresh := open(t, s.Dir(), store.Options{})
		if _, err := fresh.Blob(t.Context(), e.Digest); err != nil {
			t.Errorf("stamp %.20q: %v", soup, err)
		}
		if got := spool(t, fresh, "key", "content"); got.Digest != e.Digest {
			t.Errorf("key %.20q: %s", soup, got.Digest)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	dir := t.TempDir()
	path := filepath.Join(dir, "vmlinuz")
	writeFile(t, path, "kernel")
	e, err := s.Check(t.Context(), path, blob.SumBytes([]byte("kernel")))
	if err != nil {
		t.Fatal(err)
	}
	wantContent(t, e.Blob, "kernel")

	link := filepath.Join(dir, "link")
	must(t, os.Symlink("vmlinuz", link))
	if l, err := s.Check(t.Context(), link, ""); err != nil || l != e {
		t.Errorf("through a symbolic link: %v, %v; want %v", l, err, e)
	}
	other := blob.SumBytes([]byte("other"))
	_, err = s.Check(t.Context(), path, other)
	wantError(t, err, report.Invalid, path, string(e.Digest), string(other))
	_, err = s.Check(t.Context(), filepath.Join(dir, "none"), "")
	wantError(t, err, report.NotFound, "none")
	_, err = s.Check(t.Context(), dir, "")
	wantError(t, err, report.Invalid, dir, "not a regular file")
	_, err = s.Check(t.Context(), "/dev/zero", "")
	wantError(t, err, report.Invalid, "/dev/zero")
	fifo := filepath.Join(dir, "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	_, err = s.Check(t.Context(), fifo, "")
	wantError(t, err, report.Invalid, fifo)

	poison(t, path, "evil!!")
	_, err = s.Check(t.Context(), path, e.Digest)
	wantError(t, err, report.Invalid, path, string(e.Digest))
}

// A file that changes in the tick of the clock in which it was hashed may do so without another stamp.
func TestChangesWithinOneTickAreSeen(t *testing.T) {
	t.Parallel()
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "file")
	s := open(t, dir, store.Options{})
	for i := range 100 {
		content := []string{"heads", "tails"}[i%2]
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
		must(t, err)
		_, err = f.WriteString(content)
		must(t, err)
		must(t, f.Close())
		must(t, os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0)))
		for _, s := range []*store.Store{s, open(t, dir, store.Options{})} {
			e, err := s.Check(t.Context(), path, "")
			if err != nil || e.Digest != blob.SumBytes([]byte(content)) {
				t.Fatalf("round %d: %s, %v; want the digest of %q", i, e.Digest, err, content)
			}
			wantContent(t, e.Blob, content)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	contents := []string{"one", "two", strings.Repeat("three", 200_000)}
	var made [3]atomic.Int32
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			c := contents[i%3]
			var e store.Entry
			var err error
			switch i / 3 % 4 {
			case 0:
				e, err = s.Put(t.Context(), blob.SumBytes([]byte(c)), int64(len(c)), strings.NewReader(c))
			case 1:
				e, err = s.Spool(t.Context(), "key"+c[:3], func(_ context.Context, w io.Writer) error {
					made[i%3].Add(1)
					_, err := io.WriteString(w, c)
					return err
				})
			case 2:
				e, err = s.Obtain(t.Context(), blob.SumBytes([]byte(c)), int64(len(c)), func(context.Context) (io.ReadCloser, error) {
					return io.NopCloser(strings.NewReader(c)), nil
				})
			case 3:
				if _, err := s.List(); err != nil {
					t.Error(err)
				}
				if _, err := s.Prune(t.Context(), store.PruneOptions{UnusedFor: time.Hour}); err != nil {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			if d, err := blob.Sum(t.Context(), e.Blob); err != nil || d != blob.SumBytes([]byte(c)) {
				t.Errorf("content has %s, %v", d, err)
			}
		})
	}
	wg.Wait()
	for i := range made {
		if n := made[i].Load(); n != 1 {
			t.Errorf("key %d was made %d times, want once", i, n)
		}
	}
	for _, f := range files(t, s.Dir()) {
		if strings.HasPrefix(f, "tmp") || strings.HasPrefix(f, "locks") {
			t.Errorf("left behind: %s", f)
		}
	}
}

func spool(t testing.TB, s *store.Store, key, content string) store.Entry {
	t.Helper()
	e, err := s.Spool(t.Context(), key, func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSpoolRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := spool(t, open(t, dir, store.Options{}), "zstd 19 of x", "derived")
	s := open(t, dir, store.Options{})
	e, err := s.Spool(t.Context(), "zstd 19 of x", func(context.Context, io.Writer) error { return errors.New("made again") })
	if err != nil || e.Digest != first.Digest {
		t.Fatalf("second Spool = %v, %v", e, err)
	}
	wantContent(t, e.Blob, "derived")
	if other := spool(t, s, "zstd 3 of x", "other"); other.Digest == e.Digest {
		t.Error("another key gave the same content")
	}

	// What the record stands for is gone, or damaged: it is made again.
	poison(t, entryPath(s, e.Digest), "denatur")
	wantContent(t, spool(t, open(t, dir, store.Options{}), "zstd 19 of x", "derived").Blob, "derived")
	must(t, os.Remove(entryPath(s, e.Digest)))
	wantContent(t, spool(t, open(t, dir, store.Options{}), "zstd 19 of x", "derived").Blob, "derived")
}

func TestSpoolFailures(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	boom := errors.New("boom")
	_, err := s.Spool(t.Context(), "k", func(_ context.Context, w io.Writer) error {
		io.WriteString(w, "half")
		return boom
	})
	if err != boom {
		t.Errorf("error %v, want the maker's own", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the maker's panic was swallowed")
			}
		}()
		s.Spool(t.Context(), "k", func(_ context.Context, w io.Writer) error { panic("boom") })
	}()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = s.Spool(ctx, "k", func(_ context.Context, w io.Writer) error {
		cancel()
		w.Write(bytes.Repeat([]byte("x"), 1<<20)) // the error is ignored on purpose
		return nil
	})
	wantError(t, err, report.Canceled)
	if got := files(t, s.Dir()); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
	wantContent(t, spool(t, s, "k", "whole").Blob, "whole")
}

func TestWaitingEndsWithContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, other := open(t, dir, store.Options{}), open(t, dir, store.Options{})
	held, release := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		_, err := s.Spool(context.Background(), "k", func(_ context.Context, w io.Writer) error {
			close(held)
			<-release
			return nil
		})
		done <- err
	}()
	<-held
	for _, s := range []*store.Store{s, other} { // waits for the goroutine, and for the file lock
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, err := s.Spool(ctx, "k", func(context.Context, io.Writer) error { return errors.New("made beside") })
		wantError(t, err, report.Canceled, "deadline")
		cancel()
	}
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestObtainAsksOnlyForWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	d := blob.SumBytes([]byte("layer"))
	var asked int
	get := func(content string) func(context.Context) (io.ReadCloser, error) {
		return func(context.Context) (io.ReadCloser, error) {
			asked++
			return io.NopCloser(strings.NewReader(content)), nil
		}
	}
	_, err := s.Obtain(t.Context(), d, 5, get("liar!"))
	wantError(t, err, report.Invalid, string(d))
	for range 2 {
		e, err := s.Obtain(t.Context(), d, 5, get("layer"))
		if err != nil {
			t.Fatal(err)
		}
		wantContent(t, e.Blob, "layer")
	}
	if asked != 2 {
		t.Errorf("asked %d times, want 2: the wrong one and the right one", asked)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	digests := map[string]blob.Digest{}
	for i, name := range []string{"oldest", "older", "recent"} {
		e := spool(t, s, name, strings.Repeat(name, 100))
		digests[name] = e.Digest
		age := []time.Duration{72, 48, 1}[i] * time.Hour
		for _, f := range files(t, filepath.Join(s.Dir(), "stamps")) {
			path := filepath.Join(s.Dir(), "stamps", f)
			if p, _ := os.ReadFile(path); bytes.Contains(p, []byte(e.Digest)) {
				must(t, os.Chtimes(path, time.Time{}, time.Now().Add(-age)))
			}
		}
	}
	outside := filepath.Join(t.TempDir(), "gone")
	writeFile(t, outside, "gone")
	settle()
	_, err := s.Check(t.Context(), outside, "")
	must(t, err)
	must(t, os.Remove(outside))

	removed := func(opts store.PruneOptions) (names []string) {
		t.Helper()
		infos, err := s.Prune(t.Context(), opts)
		must(t, err)
		for _, i := range infos {
			for name, d := range digests {
				if d == i.Digest {
					names = append(names, name)
				}
			}
		}
		return names
	}
	if got := removed(store.PruneOptions{}); got != nil {
		t.Errorf("zero options removed %q", got)
	}
	if n := len(files(t, filepath.Join(s.Dir(), "stamps"))); n != 3 {
		t.Errorf("%d stamps, want 3: the one of a file that is gone stayed", n)
	}
	if got := removed(store.PruneOptions{UnusedFor: 60 * time.Hour}); len(got) != 1 || got[0] != "oldest" {
		t.Errorf("unused for 60 h: removed %q, want oldest", got)
	}
	if got := removed(store.PruneOptions{MaxBytes: 700}); len(got) != 1 || got[0] != "older" {
		t.Errorf("above 700 bytes: removed %q, want older", got)
	}
	list, err := s.List()
	if err != nil || len(list) != 1 || list[0].Digest != digests["recent"] || list[0].Size != 600 {
		t.Errorf("List = %v, %v; want recent", list, err)
	}
	if got := files(t, s.Dir()); len(got) != 3 { // entry, stamp, key
		t.Errorf("left: %q", got)
	}
}

func TestUseIsNoted(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir(), store.Options{})
	e := put(t, s, "content")
	stamp := filepath.Join(s.Dir(), "stamps", files(t, filepath.Join(s.Dir(), "stamps"))[0])
	must(t, os.Chtimes(stamp, time.Time{}, time.Now().Add(-48*time.Hour)))
	fresh := open(t, s.Dir(), store.Options{})
	_, err := fresh.Blob(t.Context(), e.Digest)
	must(t, err)
	if removed, err := fresh.Prune(t.Context(), store.PruneOptions{UnusedFor: 24 * time.Hour}); err != nil || len(removed) > 0 {
		t.Errorf("pruned %v, %v although it was just used", removed, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o644))
}
