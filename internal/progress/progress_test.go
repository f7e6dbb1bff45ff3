package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// work is a step of a second that is quick, one of 12 s with bytes, and one that fails.
func work(p *Progress) {
	p.Step("quick", 0).Done(nil)
	s := p.Step("write metal-amd64.iso", 120<<20)
	time.Sleep(30 * time.Millisecond) // keeps Add and the redraws apart
	for range 120 {
		time.Sleep(100 * time.Millisecond)
		s.Add(1 << 20)
	}
	s.Done(nil)
	s.Done(errors.New("too late to fail"))
	s = p.Step("fetch", 0)
	time.Sleep(2 * time.Second)
	s.Done(errors.New("no route to host"))
}

func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		work(New(&out, Auto)) // a buffer is no terminal
		want := `write metal-amd64.iso ...
write metal-amd64.iso: 59.0 MiB of 120.0 MiB, 49%, 10.0 MiB/s, 6s
write metal-amd64.iso: 109.0 MiB of 120.0 MiB, 90%, 10.0 MiB/s, 11s
write metal-amd64.iso: 120.0 MiB in 12s, 10.0 MiB/s
fetch ...
fetch: failed after 2s
`
		if got := out.String(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestJSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		work(New(&out, JSON))
		count := map[string]int{}
		var last record
		dec := json.NewDecoder(&out)
		for dec.More() {
			last = record{}
			if err := dec.Decode(&last); err != nil {
				t.Fatal(err)
			}
			count[last.Event+" "+last.Name]++
			if last.Event == "done" && last.Name != "quick" && (last.Bytes != 120<<20 || last.Total != last.Bytes || last.Rate != 120<<20*100/1203 || last.Seconds != 12.03) {
				t.Errorf("done: %+v", last)
			}
		}
		if last.Event != "failed" || last.Error != "no route to host" || last.Step != 3 || last.Seconds != 2 {
			t.Errorf("last: %+v", last)
		}
		for what, want := range map[string]int{
			"start quick": 1, "done quick": 1, "start write metal-amd64.iso": 1, "done write metal-amd64.iso": 1,
		} {
			if count[what] != want {
				t.Errorf("%s: %d times, want %d", what, count[what], want)
			}
		}
		if n := count["progress write metal-amd64.iso"]; n < 11 || n > 12 {
			t.Errorf("%d lines in 12 s, want one a second", n)
		}
	})
}

// screen replays the few escape sequences that a live view writes, and fails on a line that would wrap.
func screen(t *testing.T, out string, width int) string {
	t.Helper()
	var lines []string
	at := 0
	for out != "" {
		var up int
		switch {
		case strings.HasPrefix(out, "\r\x1b[J"):
			lines, out = lines[:at], out[len("\r\x1b[J"):]
		case strings.HasPrefix(out, "\x1b["):
			if _, err := fmt.Sscanf(out, "\x1b[%dA", &up); err != nil || up > at {
				t.Fatalf("sequence %.10q at line %d", out, at)
			}
			at, out = at-up, out[strings.IndexByte(out, 'A')+1:]
		default:
			line, rest, ok := strings.Cut(out, "\n")
			if !ok || strings.ContainsRune(line, '\x1b') || len([]rune(line)) >= width {
				t.Fatalf("line %q does not end or fit %d columns", line, width)
			}
			lines, at, out = append(lines[:at], line), at+1, rest
		}
	}
	return strings.Join(lines, "\n")
}

func live(w io.Writer, width int) *Progress {
	return &Progress{view: &liveView{w: w, width: func() int { return width }}}
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := live(&out, 60)
		s := p.Step("fetch base", 4<<20)
		for i := range 10 {
			defer p.Step(fmt.Sprintf("layer %d with a name that is longer than the screen is wide", i), 0).Done(nil)
		}
		time.Sleep(1050 * time.Millisecond)
		s.Add(1 << 20)
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		got := screen(t, out.String(), 60)
		if !strings.HasPrefix(got, "  fetch base                        1.0 MiB of 4.0 MiB, 25%") ||
			!strings.HasSuffix(got, "  and 4 more") || strings.Count(got, "\n") != liveLines-1 {
			t.Errorf("while running:\n%s", got)
		}
		s.Done(nil)
		if got := screen(t, out.String(), 60); !strings.HasPrefix(got, "  fetch base                        1.0 MiB in 1.6s, 660.6 ") {
			t.Errorf("after the first:\n%s", got)
		}
	})
}

func TestLiveLeavesOnlyLongSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		work(live(&out, 80))
		want := "  write metal-amd64.iso             120.0 MiB in 12s, 10.0 MiB/s\n  fetch                             failed after 2s"
		if got := screen(t, out.String(), 80); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	})
}

func TestNothing(t *testing.T) {
	var out bytes.Buffer
	s := New(&out, None).Step("step", 1)
	s.Add(1)
	s.Done(nil)
	var p *Progress
	p.Step("step", 1).Done(errors.New("x"))
	if out.Len() != 0 {
		t.Errorf("printed %q", out.String())
	}
}

func TestConcurrent(t *testing.T) {
	var out bytes.Buffer
	p := New(&out, JSON)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s := p.Step(fmt.Sprint(i), 100)
			var adds sync.WaitGroup
			for range 10 {
				adds.Go(func() { s.Add(10) })
			}
			adds.Wait()
			s.Done(nil)
		})
	}
	wg.Wait()
	if n := strings.Count(out.String(), `"event":"done"`); n != 8 || strings.Count(out.String(), `"bytes":100,`) != 8 {
		t.Errorf("%d done in\n%s", n, out.String())
	}
}

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 1<<20 - 1: "1.0 MiB", 98 << 20: "98.0 MiB",
		1<<63 - 1: "8.0 EiB",
	} {
		if got := FormatBytes(n); got != want {
			t.Errorf("FormatBytes(%d) = %q, want %q", n, got, want)
		}
	}
}
