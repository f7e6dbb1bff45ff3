// Package console is where init says what it does: a line on every console and in the kernel log.
//
// What the kernel does not print of its log, at the level that it has, is written to the consoles directly, to each by a
// goroutine of its own, so that a serial line that nobody empties stops neither the boot nor the other consoles.
package console

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Consoles
}

// Log writes lines. Its methods may be called from several goroutines.
type Log struct {
	m     Machine
	sinks []sink
	level int // the kernel prints what is below it, outside Announce
	done  chan struct{}

	mu  sync.Mutex // one line at a time
	tee func(priority int, text string)
}

// Levels of the kernel log (linux/kern_levels.h).
const (
	errorLevel   = 3
	warningLevel = 4
	infoLevel    = 6
	debugLevel   = 7
)

// user is the facility of the kernel log that init writes as.
const user = 1 << 3

// activeFile names the consoles that the kernel uses.
const activeFile = "/sys/class/tty/console/active"

// Open opens the consoles that the kernel uses, or else /dev/console. Unless verbose, the kernel no longer prints
// messages of level "info" on them.
func Open(m Machine, spawn func(func()), verbose bool) *Log {
	l := &Log{m: m, level: infoLevel, done: make(chan struct{})}
	if now, err := m.ReadFile(printkFile); err == nil {
		first, _, _ := strings.Cut(string(now), "\t")
		if level, err := strconv.Atoi(first); err == nil && (verbose || level < l.level) {
			l.level = level
		}
	}
	l.kernelLevel(l.level)
	m.WriteFile("/proc/sys/kernel/printk_devkmsg", []byte("on"), 0) // else init's lines are rate-limited
	active, _ := m.ReadFile(activeFile)
	names := strings.Fields(string(active))
	if len(names) == 0 {
		names = []string{"console"}
	}
	for _, name := range names {
		c, err := m.OpenConsole("/dev/" + name)
		if err != nil {
			continue // the others may do
		}
		s := sink{c, isScreen.MatchString(name), make(chan message, 256)}
		l.sinks = append(l.sinks, s)
		spawn(func() { s.run(l.done) })
	}
	return l
}

// IsVerbose tells whether the kernel's arguments ask for everything that it says.
func IsVerbose(args cmdline.Args) bool {
	for _, name := range []string{"debug", "loglevel", "ignore_loglevel"} {
		if _, ok := args.Get(name); ok {
			return true
		}
	}
	return false
}

// isScreen tells a virtual terminal from a serial line.
var isScreen = regexp.MustCompile(`^tty[0-9]+$`)

const printkFile = "/proc/sys/kernel/printk"

func (l *Log) kernelLevel(level int) { l.m.WriteFile(printkFile, fmt.Append(nil, level), 0) }

// Debugf says what only people who look for it want to know: consoles show it where they show all that the kernel says.
func (l *Log) Debugf(format string, args ...any) { l.say(debugLevel, "", format, args) }

// Infof says that something went as it should, Warnf that it did not but the boot goes on, and Errorf that it does not.
func (l *Log) Infof(format string, args ...any) { l.say(infoLevel, "", format, args) }

// Warnf follows Infof.
func (l *Log) Warnf(format string, args ...any) { l.say(warningLevel, "warning: ", format, args) }

// Errorf follows Infof.
func (l *Log) Errorf(format string, args ...any) { l.say(errorLevel, "error: ", format, args) }

// Tee hands each line that is said from now on to f too, with its priority in the kernel log and without the mark that
// tells it on a console. f must not say anything itself.
func (l *Log) Tee(f func(priority int, text string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tee = f
}

func (l *Log) say(level int, mark, format string, args []any) {
	text := fmt.Sprintf(format, args...)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.also(level, text)
	text = mark + text
	l.kmsg(level, text)
	if level < l.level || level == debugLevel {
		return // the kernel has printed it if it is to be seen
	}
	for _, s := range l.sinks {
		s.write(line(text))
	}
}

// also needs the lock.
func (l *Log) also(level int, text string) {
	if l.tee != nil {
		l.tee(level, text)
	}
}

func line(text string) []byte { return []byte("bootwright: " + strings.TrimRight(text, "\n") + "\n") }

// kmsg writes to the kernel log, which takes at most some 980 bytes at once and one line at a time.
func (l *Log) kmsg(level int, text string) {
	for part := range strings.Lines(text) {
		p := line(part)
		p = append(fmt.Appendf(nil, "<%d>", user|level), p[:min(len(p), 900)]...)
		l.m.WriteFile("/dev/kmsg", p, 0)
	}
}

// Announce prints text, if there is one, on all consoles, and before it, where it is not a screen that people read, a line
// for programs.
// The kernel is kept from printing meanwhile, as its messages would appear in the midst of the line.
func (l *Log) Announce(forPrograms []byte, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kernelLevel(1)
	defer l.kernelLevel(l.level)
	var forPeople []byte
	if text != "" {
		l.also(infoLevel, text)
		l.kmsg(infoLevel, text)
		forPeople = line(text)
	}
	for _, s := range l.sinks {
		if s.screen {
			s.write(forPeople)
		} else {
			s.write(slices.Concat(forPrograms, forPeople))
		}
	}
	l.Flush(5 * time.Second)
}

// Flush waits until what was written has left the machine, but no longer than timeout.
func (l *Log) Flush(timeout time.Duration) {
	deadline := time.After(timeout)
	for _, s := range l.sinks {
		done := make(chan struct{})
		select {
		case s.queue <- message{done: done}:
		case <-deadline:
			return
		}
		select {
		case <-done:
		case <-deadline:
			return
		}
	}
}

// Close lets go of the consoles. What is said afterwards goes to the kernel log only.
func (l *Log) Close() { close(l.done) }

// sink is one console.
type sink struct {
	console kernel.Console
	screen  bool
	queue   chan message
}

// message is text to write, or a request to say when all before it is written.
type message struct {
	text []byte
	done chan<- struct{}
}

// write drops the text when hundreds of lines wait already: the kernel log has them.
func (s sink) write(text []byte) {
	select {
	case s.queue <- message{text: bytes.Clone(text)}:
	default:
	}
}

func (s sink) run(done <-chan struct{}) {
	defer s.console.Close()
	for {
		select {
		case <-done:
			return
		case m := <-s.queue:
			if m.done != nil {
				s.console.Drain()
				close(m.done)
				continue
			}
			s.console.Write(m.text) // there is nowhere to report an error to
		}
	}
}
