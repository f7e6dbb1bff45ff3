// Package progress shows the steps of a piece of work while it runs: live lines on a terminal, plain lines in a log, or
// one JSON object a line for a program. docs/cli.md documents what is printed.
//
// A nil *Progress and a nil *Step are valid and do nothing, so that libraries report without asking.
package progress

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"
)

// Mode is how progress is shown.
type Mode string

// The modes.
const (
	Auto  Mode = "auto"  // a few lines that are redrawn on a terminal, else Plain
	Plain Mode = "plain" // lines, for steps of more than a second
	JSON  Mode = "json"  // one object a line
	None  Mode = "none"
)

// Modes are all modes, the default one first.
func Modes() []string { return []string{string(Auto), string(Plain), string(JSON), string(None)} }

const (
	tick      = 100 * time.Millisecond // between two redraws
	longStep  = time.Second            // a step below this leaves no line behind
	plainEach = 5 * time.Second        // between two lines of a running step
	jsonEach  = time.Second
)

// Progress is a set of steps and where they are shown. It is safe for concurrent use.
type Progress struct {
	view view

	mu      sync.Mutex
	active  []*Step
	next    int
	stop    chan struct{} // ends the ticking; nil while nothing is active
	stopped chan struct{}
}

// view is a way of showing steps; Progress calls it under its lock.
type view interface {
	started(*Step)
	ticked(active []*Step, now time.Time)
	finished(s *Step, active []*Step, now time.Time)
}

// New shows progress on w. The result is nil, which shows nothing, for None.
func New(w io.Writer, mode Mode) *Progress {
	width := terminalWidth(w)
	switch {
	case mode == None:
		return nil
	case mode == JSON:
		return &Progress{view: &jsonView{w: w}}
	case mode == Auto && width != nil:
		return &Progress{view: &liveView{w: w, width: width}}
	}
	return &Progress{view: &plainView{w: w}}
}

// terminalWidth tells the width of the terminal behind w in columns; it is nil if there is none that understands
// cursor movements.
func terminalWidth(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}

// Step begins a step of total bytes; 0 means that the total is not known, or that bytes are not what the step counts.
func (p *Progress) Step(name string, total int64) *Step {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	now := time.Now()
	s := &Step{p: p, id: p.next, name: name, total: total, began: now, shown: now, sampled: now}
	p.active = append(p.active, s)
	p.view.started(s)
	if p.stop == nil {
		p.stop, p.stopped = make(chan struct{}), make(chan struct{})
		go p.run(p.stop, p.stopped)
	}
	return s
}

// run redraws until stop is closed: a step that stalls must be seen to stall.
func (p *Progress) run(stop, stopped chan struct{}) {
	defer close(stopped)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-stop:
			return
		case now := <-t.C:
			p.mu.Lock()
			for _, s := range p.active {
				s.sample(now)
			}
			p.view.ticked(p.active, now)
			p.mu.Unlock()
		}
	}
}

func (p *Progress) finish(s *Step) {
	p.mu.Lock()
	i := slices.Index(p.active, s)
	if i < 0 {
		p.mu.Unlock()
		return
	}
	p.active = slices.Delete(p.active, i, i+1)
	p.view.finished(s, p.active, time.Now())
	var stopped chan struct{}
	if len(p.active) == 0 {
		close(p.stop)
		stopped, p.stop = p.stopped, nil
	}
	p.mu.Unlock()
	if stopped != nil {
		<-stopped
	}
}

// Step is a piece of work under way. Add may be called from several goroutines at once.
type Step struct {
	p     *Progress
	id    int
	name  string
	total int64
	bytes atomic.Int64
	began time.Time

	// Under p.mu.
	err     error
	shown   time.Time // when a line of it was last printed
	printed bool      // whether one was
	sampled time.Time
	sampleN int64
	rate    float64 // bytes a second, lately
}

// Add counts n more bytes.
func (s *Step) Add(n int64) {
	if s != nil {
		s.bytes.Add(n)
	}
}

// Done ends the step, with the error that ended it if there is one. Only the first call counts, so that it may be
// deferred as a safety net.
func (s *Step) Done(err error) {
	if s == nil {
		return
	}
	s.p.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.p.mu.Unlock()
	s.p.finish(s)
}

// sampleEach is how often the rate is measured; each measurement counts for 30 % of what is shown.
const sampleEach = 500 * time.Millisecond

func (s *Step) sample(now time.Time) {
	d := now.Sub(s.sampled)
	if d < sampleEach {
		return
	}
	n := s.bytes.Load()
	latest := float64(n-s.sampleN) / d.Seconds()
	if s.sampleN == 0 {
		s.rate = latest
	} else {
		s.rate += 0.3 * (latest - s.rate)
	}
	s.sampled, s.sampleN = now, n
}

// average is the rate over the whole step in bytes a second.
func (s *Step) average(now time.Time) float64 {
	if d := now.Sub(s.began); d > 0 {
		return float64(s.bytes.Load()) / d.Seconds()
	}
	return 0
}

// FormatBytes is n in the largest binary unit that leaves at least one, such as "97.2 MiB".
func FormatBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, 0
	for v >= 1023.95 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[unit])
}

const units = "KMGTPE"
