// Package lines makes lines of what a program writes, and finds out how serious they are.
package lines

import (
	"bytes"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	// MaxLine is the longest line in bytes; a longer one becomes several.
	MaxLine = 16 << 10
	// Pause is after how long a line that has no end yet is taken as it is.
	Pause = time.Second
)

// Writer cuts what is written to it into lines, and calls Emit with each, without its line feed. It keeps at most MaxLine
// bytes. Emit may not keep the line; it is called by one goroutine at a time.
type Writer struct {
	Emit func(line []byte)

	mu    sync.Mutex
	part  []byte // of a line that has no end yet
	timer *time.Timer
}

// Write never fails.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte("\n"))
		p = rest
		w.add(line)
		if ended {
			w.Emit(bytes.TrimSuffix(w.part, []byte("\r")))
			w.part = w.part[:0]
		}
	}
	w.arm()
	return n, nil
}

// add appends to the open line, and emits as much of it as is too long.
func (w *Writer) add(p []byte) {
	for len(w.part)+len(p) > MaxLine {
		room := MaxLine - len(w.part)
		w.part = append(w.part, p[:room]...)
		p = p[room:]
		cut := Cut(w.part, MaxLine-1) // one less, so that a rune that ends just there is seen to be whole
		w.Emit(w.part[:cut])
		w.part = append(w.part[:0], w.part[cut:]...)
	}
	w.part = append(w.part, p...)
}

// Cut is the most bytes of p, but no more than limit, that do not end within a rune.
func Cut[T []byte | string](p T, limit int) int {
	if len(p) <= limit {
		return len(p)
	}
	for i := limit; i > max(0, limit-utf8.UTFMax); i-- {
		if utf8.RuneStart(p[i]) {
			return i
		}
	}
	return limit
}

// arm waits for the rest of the open line.
func (w *Writer) arm() {
	if w.timer != nil {
		w.timer.Stop()
	}
	if len(w.part) == 0 {
		return
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(Pause, w.Flush)
		return
	}
	w.timer.Reset(Pause)
}

// Flush takes the open line as it is.
func (w *Writer) Flush() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.part) > 0 {
		w.Emit(w.part)
		w.part = w.part[:0]
	}
}

// Close is Flush. What is written afterwards is taken all the same.
func (w *Writer) Close() error {
	w.Flush()
	return nil
}
