package lines

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
)

// collect is a Writer and the lines that it made so far.
func collect() (*Writer, func() []string) {
	var got []string
	w := &Writer{}
	w.Emit = func(line []byte) { got = append(got, string(line)) }
	return w, func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.Clone(got)
	}
}

func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, got := collect()
		for _, p := range []string{"one\ntw", "o\r\n", "\n", "three\nprompt> "} {
			if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
				t.Error(n, err)
			}
		}
		time.Sleep(Pause - 1)
		w.Write([]byte("answer"))
		time.Sleep(Pause - 1)
		if want := []string{"one", "two", "", "three"}; !slices.Equal(got(), want) {
			t.Errorf("%q", got())
		}
		time.Sleep(2 * time.Nanosecond)
		synctest.Wait()
		if l := got(); l[len(l)-1] != "prompt> answer" {
			t.Errorf("%q", l)
		}
		w.Write([]byte("the end"))
		w.Close()
		w.Close()
		time.Sleep(2 * Pause)
		if l := got(); l[len(l)-1] != "the end" || len(l) != 6 {
			t.Errorf("%q", l)
		}
	})
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	for _, unit := range []string{"x", "é", "日本", "\xff", "\x80", "aé日🙂"} {
		w, got := collect()
		long := strings.Repeat(unit, 3*MaxLine/len(unit))
		w.Write([]byte(long + "\n"))
		w.Close()
		for _, l := range got() {
			if len(l) > MaxLine || utf8.ValidString(unit) && !utf8.ValidString(l) {
				t.Errorf("%q: a line of %d bytes, valid %v", unit, len(l), utf8.ValidString(l))
			}
		}
		if strings.Join(got(), "") != long || len(got()) > 4 {
			t.Errorf("%q: %d lines", unit, len(got()))
		}
	}
	w, got := collect()
	w.Write(bytes.Repeat([]byte("x"), MaxLine))
	w.Write([]byte("\n"))
	if len(got()) != 1 {
		t.Errorf("a line of just MaxLine became %d", len(got()))
	}
}

// FuzzWriter: however the input is cut, the lines are the input's.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("one\ntwo\r\n\nthree"), 3)
	f.Add([]byte("é\n"), 1)
	f.Fuzz(func(t *testing.T, in []byte, step int) {
		w, got := collect()
		for part := range slices.Chunk(in, 1+int(uint(step)%64)) {
			w.Write(part)
		}
		w.Close()
		want := strings.ReplaceAll(strings.TrimSuffix(string(in), "\n"), "\r\n", "\n")
		if all := strings.Join(got(), "\n"); len(in) < MaxLine && all != want && all != strings.TrimSuffix(want, "\r") {
			t.Fatalf("got %q, want %q", all, want)
		}
		for _, l := range got() {
			Level([]byte(l))
		}
	})
}

func TestLevel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want ring.Level
	}{
		{`I1130 19:13:20.567737       1 server_others.go:138] "Detected node IP"`, ring.Info},
		{`W1130 19:13:20.567737       1 server_others.go:138] "x"`, ring.Warn},
		{`E1130 19:13:20.567737       1 x.go:1] x`, ring.Error},
		{`F1130 19:13:20.567737       1 x.go:1] x`, ring.Error},
		{`time="2024-04-17T18:32:16Z" level=warning msg="cleanup" level=error`, ring.Warn},
		{`level=debug msg=x`, ring.Debug},
		{`msg=x level="error"`, ring.Error},
		{`msg=x loglevel=error`, ring.Info},
		{`{"level":"warn","ts":"2024","msg":"x"}`, ring.Warn},
		{`{"msg": "x", "level": "ERROR"}`, ring.Error},
		{`{"level":30}`, ring.Info},
		{`2024-04-17T18:32:16.690Z DEBUG NTP response {"component": "x"}`, ring.Debug},
		{"2024-04-17T18:32:16.690Z\tERROR\tx", ring.Error},
		{`3 ERRORS were found`, ring.Info},
		{`all is well: level=`, ring.Info},
		{`W12345`, ring.Info},
		{``, ring.Info}, {`{`, ring.Info}, {`W1130 `, ring.Warn}, {`level=`, ring.Info},
	} {
		if got := Level([]byte(c.line)); got != c.want {
			t.Errorf("%s: %v, not %v", c.line, got, c.want)
		}
	}
}
