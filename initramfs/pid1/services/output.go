package services

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// maxLine is how much of a line is kept, in bytes; the rest is the next line.
const maxLine = 4 << 10

// maxLast is how much of the last line a failure shows, in bytes.
const maxLast = 300

// output takes what a service prints: it hands it on, shows it line by line where that is asked for, and keeps the last line.
type output struct {
	to   io.WriteCloser    // nil keeps nothing
	show func(line string) // nil shows nothing

	mu   sync.Mutex
	line []byte // that has not ended yet
	last string // that was not empty
}

func (r *Runner) output(s *Service) *output {
	o := &output{}
	if r.deps.Output != nil {
		o.to = r.deps.Output(s.Name)
	}
	if s.Console {
		o.show = func(line string) { r.deps.Log.Infof("%s: %s", s.Name, line) }
	}
	return o
}

// Write never fails: a service does not end because nobody keeps what it prints.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil {
		o.to.Write(p)
	}
	for rest := p; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		if n == 0 {
			n = len(rest)
		}
		n = min(n, maxLine-len(o.line))
		o.line, rest = append(o.line, rest[:n]...), rest[n:]
		if len(o.line) == maxLine || o.line[len(o.line)-1] == '\n' {
			o.endLine()
		}
	}
	return len(p), nil
}

// end takes what is left for a line, and returns the last line. What a program left behind may still write; it is lost.
func (o *output) end() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endLine()
	if o.to != nil {
		o.to.Close()
	}
	o.to, o.show = nil, nil
	return o.last
}

func (o *output) endLine() {
	text := strings.TrimSpace(strings.ToValidUTF8(string(o.line), "�"))
	o.line = o.line[:0]
	if text == "" {
		return
	}
	if o.show != nil {
		o.show(text)
	}
	o.last = strings.ToValidUTF8(text[:min(len(text), maxLast)], "")
}
