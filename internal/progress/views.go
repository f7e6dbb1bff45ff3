package progress

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// plainView prints lines for a log: what is quick is not worth one.
type plainView struct{ w io.Writer }

func (v *plainView) started(*Step) {}

func (v *plainView) ticked(active []*Step, now time.Time) {
	for _, s := range active {
		switch {
		case !s.printed && now.Sub(s.began) >= longStep:
			fmt.Fprintf(v.w, "%s ...\n", s.name)
		case s.printed && now.Sub(s.shown) >= plainEach:
			fmt.Fprintf(v.w, "%s: %s\n", s.name, running(s, now))
		default:
			continue
		}
		s.printed, s.shown = true, now
	}
}

func (v *plainView) finished(s *Step, _ []*Step, now time.Time) {
	if now.Sub(s.began) >= longStep {
		fmt.Fprintf(v.w, "%s: %s\n", s.name, finished(s, now))
	}
}

// liveView redraws a line for each active step below what was printed before.
type liveView struct {
	w     io.Writer
	width func() int
	drawn int // lines on the screen that the next redraw replaces
}

// liveLines bounds the lines that are redrawn, so that they fit on any screen.
const liveLines = 8

func (v *liveView) started(*Step) {}

func (v *liveView) ticked(active []*Step, now time.Time) { v.draw("", active, now) }

func (v *liveView) finished(s *Step, active []*Step, now time.Time) {
	kept := ""
	if now.Sub(s.began) >= longStep {
		kept = v.line(s, finished(s, now))
	}
	if kept != "" || v.drawn > 0 {
		v.draw(kept, active, now)
	}
}

// draw puts kept, if there is one, above the active steps for good. One write a redraw, so that nothing flickers.
func (v *liveView) draw(kept string, active []*Step, now time.Time) {
	var b strings.Builder
	if v.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", v.drawn)
	}
	b.WriteString("\r\x1b[J" + kept)
	v.drawn = 0
	for i, s := range active {
		if i == liveLines-1 && len(active) > liveLines {
			b.WriteString(v.fit(fmt.Sprintf("  and %d more", len(active)-i)))
			v.drawn++
			break
		}
		b.WriteString(v.line(s, running(s, now)))
		v.drawn++
	}
	io.WriteString(v.w, b.String())
}

// nameColumn is the width to which names are padded, so that what follows lines up.
const nameColumn = 32

func (v *liveView) line(s *Step, state string) string {
	return v.fit(fmt.Sprintf("  %-*s  %s", nameColumn, s.name, state))
}

// fit cuts a line to the terminal: one that wraps could not be redrawn.
func (v *liveView) fit(line string) string {
	if limit := max(v.width()-1, 1); utf8.RuneCountInString(line) > limit {
		line = string([]rune(line)[:limit])
	}
	return line + "\n"
}

// running is how far a step is: "41.2 MiB of 97.0 MiB, 42%, 123.0 MiB/s, 3s".
func running(s *Step, now time.Time) string {
	n := s.bytes.Load()
	elapsed := now.Sub(s.began).Truncate(time.Second).String()
	switch {
	case s.total > 0:
		return fmt.Sprintf("%s of %s, %d%%, %s/s, %s", FormatBytes(n), FormatBytes(s.total), percent(n, s.total),
			FormatBytes(int64(s.rate)), elapsed)
	case n > 0:
		return fmt.Sprintf("%s, %s/s, %s", FormatBytes(n), FormatBytes(int64(s.rate)), elapsed)
	}
	return elapsed
}

// finished is how a step went: "97.0 MiB in 1.3s, 74.6 MiB/s".
func finished(s *Step, now time.Time) string {
	elapsed := now.Sub(s.began).Round(100 * time.Millisecond)
	switch n := s.bytes.Load(); {
	case s.err != nil:
		return fmt.Sprintf("failed after %s", elapsed)
	case n > 0:
		return fmt.Sprintf("%s in %s, %s/s", FormatBytes(n), elapsed, FormatBytes(int64(s.average(now))))
	}
	return fmt.Sprintf("done in %s", elapsed)
}

func percent(n, total int64) int64 { return min(100, int64(float64(n)/float64(total)*100)) }

// jsonView prints every start and end, and every running step once a second.
type jsonView struct{ w io.Writer }

// record is one line of JSON.
type record struct {
	Time    time.Time `json:"time"`
	Event   string    `json:"event"` // start, progress, done, failed
	Step    int       `json:"step"`  // numbers the steps from 1
	Name    string    `json:"name"`
	Bytes   int64     `json:"bytes"`
	Total   int64     `json:"total,omitempty"` // bytes, if known
	Rate    int64     `json:"rate,omitempty"`  // bytes a second: lately, and over the whole step once it is done
	Seconds float64   `json:"seconds"`         // since the step began
	Error   string    `json:"error,omitempty"`
}

func (v *jsonView) started(s *Step) { v.print("start", s, s.began, 0) }

func (v *jsonView) ticked(active []*Step, now time.Time) {
	for _, s := range active {
		if now.Sub(s.shown) >= jsonEach {
			v.print("progress", s, now, s.rate)
			s.shown = now
		}
	}
}

func (v *jsonView) finished(s *Step, _ []*Step, now time.Time) {
	event := "done"
	if s.err != nil {
		event = "failed"
	}
	v.print(event, s, now, s.average(now))
}

func (v *jsonView) print(event string, s *Step, now time.Time, rate float64) {
	r := record{
		Time: now.UTC(), Event: event, Step: s.id, Name: s.name, Bytes: s.bytes.Load(), Total: s.total,
		Rate: int64(rate), Seconds: now.Sub(s.began).Seconds(),
	}
	if s.err != nil {
		r.Error = s.err.Error()
	}
	json.NewEncoder(v.w).Encode(r) // numbers and strings; an error of w is not the work's
}
