package lines

import (
	"bytes"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
)

// Level is how serious a line says it is, by the shapes that are common: klog ("W1130 19:13:20.5 …"), logfmt
// ("level=warning"), JSON ("level":"warn") and a time followed by a word in capitals ("2024-04-17T18:32:16Z WARN …").
// Whatever says nothing is ring.Info.
func Level(line []byte) ring.Level {
	line = line[:min(len(line), 512)] // the level is at the beginning, if anywhere
	if len(line) > 5 && isDigits(line[1:5]) && line[5] == ' ' {
		return klog[line[0]]
	}
	word := ""
	switch {
	case len(line) > 0 && line[0] == '{':
		word = value(line, `"level":`)
	default:
		if word = value(line, "level="); word == "" {
			word = second(line)
		}
	}
	return named(word)
}

// klog has other letters as ring.Info.
var klog = [256]ring.Level{'W': ring.Warn, 'E': ring.Error, 'F': ring.Error}

func isDigits(p []byte) bool {
	return !bytes.ContainsFunc(p, func(r rune) bool { return r < '0' || r > '9' })
}

// value is the word that follows key, in quotes or not, where key begins a word.
func value(line []byte, key string) string {
	i := bytes.Index(line, []byte(key))
	if i < 0 || i > 0 && !bytes.ContainsRune([]byte(" \t{,"), rune(line[i-1])) {
		return ""
	}
	rest := bytes.TrimLeft(line[i+len(key):], ` "`)
	end := bytes.IndexAny(rest, ` ",}`)
	if end < 0 {
		end = len(rest)
	}
	return string(rest[:end])
}

// second is the second word, if it is in capitals and follows a word that begins with a digit, as a time does.
func second(line []byte) string {
	fields := bytes.Fields(line[:min(len(line), 64)])
	if len(fields) < 3 || fields[0][0] < '0' || fields[0][0] > '9' {
		return ""
	}
	if word := string(fields[1]); word == strings.ToUpper(word) {
		return word
	}
	return ""
}

// named is the level of a name.
func named(word string) ring.Level {
	switch strings.ToLower(word) {
	case "trace", "debug":
		return ring.Debug
	case "warn", "warning":
		return ring.Warn
	case "error", "err", "critical", "alert", "emergency", "dpanic", "panic", "fatal":
		return ring.Error
	}
	return ring.Info
}
