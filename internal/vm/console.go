package vm

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"time"
)

// longestLine is how much of a line without an end is kept for Until to match in, in bytes.
const longestLine = 64 << 10

// console passes the serial console on and looks for the text that ends the run, line by line: the first line of a
// kernel or init shares its line with firmware text and escape codes, and any line may come in pieces.
type console struct {
	out   io.Writer
	until *regexp.Regexp
	start time.Time
	stop  context.CancelCauseFunc

	mu      sync.Mutex
	line    []byte // the line so far
	match   string
	elapsed time.Duration
}

func (c *console) Write(p []byte) (int, error) {
	if c.out != nil {
		if _, err := c.out.Write(p); err != nil {
			err = fmt.Errorf("%w: %w", errSerial, err)
			c.stop(err)
			return 0, err
		}
	}
	if c.until == nil {
		return len(p), nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for rest := p; len(rest) > 0 && c.elapsed == 0; {
		piece, after, whole := bytes.Cut(rest, []byte("\n"))
		c.look(piece)
		if whole {
			c.line = c.line[:0]
		}
		rest = after
	}
	return len(p), nil
}

// look adds piece to the line and ends the run if that now matches.
func (c *console) look(piece []byte) {
	c.line = append(c.line, piece...)
	if over := len(c.line) - longestLine; over > 0 {
		c.line = append(c.line[:0], c.line[over:]...)
	}
	if m := c.until.FindIndex(c.line); m != nil {
		c.match, c.elapsed = string(c.line[m[0]:m[1]]), time.Since(c.start)
		c.stop(errMatched)
	}
}

// result is what matched and when.
func (c *console) result() (string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.match, c.elapsed
}

// tail keeps the last max bytes written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	t.buf = t.buf[max(0, len(t.buf)-t.max):]
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.buf)) }
