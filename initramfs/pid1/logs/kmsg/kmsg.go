// Package kmsg reads records of the kernel log as /dev/kmsg gives them (Documentation/ABI/testing/dev-kmsg).
//
// Left out are the lines of keys and values (SUBSYSTEM=, DEVICE=) that follow the text of some records, and the flags.
package kmsg

import (
	"bytes"
	"strconv"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/internal/report"
)

// Record is a message of the kernel, or of a program that wrote to its log.
type Record struct {
	Facility Facility
	Priority Priority
	Seq      uint64        // counts the records since the kernel started
	Clock    time.Duration // since the kernel started, to the microsecond
	Text     []byte        // without line feed at its end
}

// Parse reads "priority,seq,clock,flags[,more];text", and ignores what follows the first line. Bytes that the kernel wrote
// as \xNN become what they were. An error is of kind Invalid.
func Parse(p []byte) (Record, error) {
	head, text, ok := bytes.Cut(p, []byte(";"))
	fields := bytes.SplitN(head, []byte(","), 4)
	if !ok || len(fields) < 3 {
		return Record{}, report.Errorf(report.Invalid, "kernel log record %.40q: no prefix such as 6,1,2,-;", p)
	}
	var n [3]uint64
	for i, bits := range []int{32, 64, 63} {
		var err error
		if n[i], err = strconv.ParseUint(string(fields[i]), 10, bits); err != nil {
			return Record{}, report.Errorf(report.Invalid, "kernel log record %.40q: field %d: %w", p, i+1, err)
		}
	}
	if n[2] > maxClock {
		return Record{}, report.Errorf(report.Invalid, "kernel log record %.40q: the clock is out of range", p)
	}
	return Record{
		Facility: Facility(n[0] >> 3), Priority: Priority(n[0] & 7), Seq: n[1],
		Clock: time.Duration(n[2]) * time.Microsecond, Text: unescape(firstLine(text)),
	}, nil
}

// firstLine is what comes before a line feed: the kernel escapes those in the text.
func firstLine(p []byte) []byte {
	line, _, _ := bytes.Cut(p, []byte("\n"))
	return line
}

// maxClock is the most microseconds that a Duration holds.
const maxClock = uint64(1<<63-1) / 1000

// unescape turns \xNN into the byte NN: the kernel writes so what is not printable ASCII, and the backslash.
func unescape(text []byte) []byte {
	if !bytes.Contains(text, []byte(`\x`)) {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if i+4 <= len(text) && text[i] == '\\' && text[i+1] == 'x' {
			if b, err := strconv.ParseUint(string(text[i+2:i+4]), 16, 8); err == nil {
				out = append(out, byte(b))
				i += 3
				continue
			}
		}
		out = append(out, text[i])
	}
	return out
}

// Priority is how serious a record is (syslog(2)).
type Priority uint8

// String is its name in syslog.h.
func (p Priority) String() string {
	return [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}[p&7]
}

// Level is the priority as one of the four levels of other logs.
func (p Priority) Level() ring.Level {
	switch {
	case p <= 3:
		return ring.Error
	case p == 4:
		return ring.Warn
	case p == 7:
		return ring.Debug
	}
	return ring.Info
}

// Facility is who wrote a record: 0 is the kernel, 1 a program.
type Facility uint32

// String is its name in syslog.h, or its number.
func (f Facility) String() string {
	names := [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "12", "13", "14",
		"15", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	if int64(f) < int64(len(names)) {
		return names[f]
	}
	return strconv.FormatUint(uint64(f), 10)
}
