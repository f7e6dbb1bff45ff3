package ring

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

func newRing(limit int) *Ring { return New(NewCodec(), limit, new(watch.Value[struct{}])) }

// line is the text of record i: the more noise, the less it compresses.
func line(rng *rand.Rand, i, noise int) []byte {
	b := fmt.Appendf(nil, "%08d something happened to the device ", i)
	for range noise {
		b = append(b, byte(rng.Uint32()))
	}
	return b
}

func TestEverythingThatFits(t *testing.T) {
	t.Parallel()
	r, rng := newRing(0), rand.New(rand.NewPCG(1, 1))
	var want [][]byte
	follow := r.Cursor(0)
	for i := range 5000 {
		want = append(want, line(rng, i, i%60))
		r.Append(time.Duration(5000-i)*time.Millisecond, Level(i%4), want[i]) // clocks of two processors may go back
		if i%7 == 0 {
			for {
				if _, missed, ok := follow.Next(); !ok {
					break
				} else if missed != 0 {
					t.Fatalf("a follower missed %d at %d", missed, i)
				}
			}
		}
	}
	c := r.Cursor(0)
	for i := range want {
		rec, missed, ok := c.Next()
		if !ok || missed != 0 || rec.Seq != uint64(i) || rec.Level != Level(i%4) ||
			rec.At != time.Duration(5000-i)*time.Millisecond || !bytes.Equal(rec.Text, want[i]) {
			t.Fatalf("record %d: %v %d %v", i, rec, missed, ok)
		}
	}
	if _, _, ok := c.Next(); ok {
		t.Error("a record that nobody wrote")
	}
}

// TestOverrun: whatever is read and whenever, what was read and what was missed is what was written, in order.
func TestOverrun(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(2, 2))
	for range 10 {
		r := newRing(1 + rng.IntN(300<<10))
		var read, missed, written uint64
		c := r.Cursor(0)
		for range 20 {
			for range rng.IntN(2000) {
				r.Append(0, Info, line(rng, int(written), rng.IntN(200)))
				written++
			}
			for range rng.IntN(3000) {
				rec, m, ok := c.Next()
				if !ok {
					break
				}
				if missed += m; rec.Seq != read+missed || string(rec.Text[:8]) != fmt.Sprintf("%08d", rec.Seq) {
					t.Fatalf("read %d, missed %d, then record %d %q", read, missed, rec.Seq, rec.Text)
				}
				read++
			}
		}
		for _, m, ok := c.Next(); ok; _, m, ok = c.Next() {
			read, missed = read+1, missed+m
		}
		if s := r.Stats(); read+missed != written || s.Next != written || s.Records != written-s.Oldest {
			t.Errorf("read %d, missed %d of %d; %+v", read, missed, written, s)
		}
	}
}

// TestMemory: a ring takes its limit and one chunk, however well its records compress and however long they are.
func TestMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	empty := heap()
	codec := NewCodec()
	for warm, i := New(codec, 1, new(watch.Value[struct{}])), 0; i < 20_000; i++ { // makes its tables
		warm.Append(0, Info, line(rng, i, i%50))
	}
	t.Logf("the codec that rings share takes %d bytes", heap()-empty)
	for _, c := range []struct {
		name            string
		limit, noise, n int
	}{
		{"text", DefaultLimit, 20, 80_000}, {"noise", DefaultLimit, 1000, 10_000},
		{"zeros", DefaultLimit / 8, 0, 200_000}, {"long", DefaultLimit, 2 * MaxText, 200},
	} {
		r := New(codec, c.limit, new(watch.Value[struct{}]))
		before := heap()
		for i := range c.n {
			r.Append(time.Duration(i), Info, line(rng, i, c.noise))
		}
		took, s := heap()-before, r.Stats()
		t.Logf("%s: %d bytes on the heap, %d by its own account, %d of %d records", c.name, took, s.Bytes, s.Records, c.n)
		room := c.limit + 4*ChunkSize // the open chunk's slice grows by doubling, the list of chunks too
		if s.Bytes > room || took > room+ChunkSize {
			t.Errorf("%s: %d bytes by its own account, %d on the heap; the bound is %d", c.name, s.Bytes, took, room)
		}
		if s.Records == uint64(c.n) {
			t.Errorf("%s: nothing was dropped, so nothing was tested", c.name)
		}
		runtime.KeepAlive(r)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func TestLongTextIsCut(t *testing.T) {
	t.Parallel()
	r := newRing(0)
	r.Append(0, Error, make([]byte, MaxText+1))
	if rec, _, ok := r.Cursor(0).Next(); !ok || len(rec.Text) != MaxText {
		t.Errorf("%d bytes", len(rec.Text))
	}
}

// TestFollow: a reader that waits for changes sees every record of several writers.
func TestFollow(t *testing.T) {
	t.Parallel()
	r := newRing(0)
	const writers, each = 4, 3000
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r.Append(0, Info, fmt.Appendf(nil, "%d %d", w, i))
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var next [writers]int
	c := r.Cursor(0)
	for read := 0; read < writers*each; {
		changed := r.Changed()
		rec, missed, ok := c.Next()
		if !ok {
			select {
			case <-changed:
			case <-ctx.Done():
				t.Fatalf("waits for ever after %d records", read)
			}
			continue
		}
		var w, i int
		fmt.Sscan(string(rec.Text), &w, &i)
		if missed != 0 || i != next[w] {
			t.Fatalf("writer %d: %d after %d, missed %d", w, i, next[w], missed)
		}
		next[w]++
		read++
	}
	wg.Wait()
}

func BenchmarkAppend(b *testing.B) {
	r, rng := newRing(0), rand.New(rand.NewPCG(4, 4))
	text := line(rng, 1, 40)
	b.SetBytes(int64(len(text)))
	for i := range b.N {
		copy(text, fmt.Appendf(nil, "%08d", i))
		r.Append(time.Duration(i), Info, text)
	}
}
