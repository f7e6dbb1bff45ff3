package vm

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestConsole(t *testing.T) {
	for _, tt := range []struct {
		name   string
		until  string
		chunks []string
		want   string
	}{
		{"in one piece", "is ready", []string{"machine is ready\n"}, "is ready"},
		{"before the line ends", "is ready", []string{"machine is ready"}, "is ready"},
		{"in many pieces", "is ready", strings.Split("GRUB!\x1b[2Jmachine is ready\n", ""), "is ready"},
		{"a late line", "^two$", []string{"one\ntwo", "\nthree\n"}, "two"},
		{"never across lines", "one.*two", []string{"one\ntwo\n"}, ""},
		{"after a very long line", "ready", []string{strings.Repeat("x", 3*longestLine), "ready"}, "ready"},
		{"not there", "ready", []string{"read", "\ny\n"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, stop := context.WithCancelCause(context.Background())
			var out bytes.Buffer
			c := &console{out: &out, until: regexp.MustCompile(tt.until), start: time.Now(), stop: stop}
			for _, chunk := range tt.chunks {
				if n, err := c.Write([]byte(chunk)); n != len(chunk) || err != nil {
					t.Fatalf("Write = %d, %v", n, err)
				}
				if len(c.line) > longestLine {
					t.Fatalf("%d bytes of one line are kept", len(c.line))
				}
			}
			match, elapsed := c.result()
			if match != tt.want || (elapsed > 0) != (tt.want != "") || (context.Cause(ctx) == errMatched) != (tt.want != "") {
				t.Errorf("matched %q after %v, cause %v; want %q", match, elapsed, context.Cause(ctx), tt.want)
			}
			if out.String() != strings.Join(tt.chunks, "") {
				t.Error("the console was not passed on as it came")
			}
		})
	}
}

type fullDisk struct{}

var errFull = errors.New("disk full")

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

func TestConsoleNobodyTakes(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	c := &console{out: fullDisk{}, stop: stop}
	if _, err := c.Write([]byte("x")); !errors.Is(err, errFull) || !errors.Is(context.Cause(ctx), errSerial) {
		t.Errorf("Write = %v, cause %v", err, context.Cause(ctx))
	}
}

func TestKeyboard(t *testing.T) {
	quits := 0
	k := &keyboard{strings.NewReader("ls\x03\n\x1dtoo late"), func() { quits++ }}
	var got bytes.Buffer
	if _, err := got.ReadFrom(k); err != nil || got.String() != "ls\x03\n" || quits != 1 {
		t.Errorf("typed %q, %d quits, %v", got.String(), quits, err)
	}
}

func TestTail(t *testing.T) {
	got := &tail{max: 4}
	for _, s := range []string{"ab", "cdefg", "\n"} {
		got.Write([]byte(s))
	}
	if got.String() != "efg" {
		t.Errorf("tail = %q", got)
	}
}
