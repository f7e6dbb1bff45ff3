package kmod

import (
	"slices"
	"strings"
)

// aliases are lines "alias PATTERN MODULE", sorted by their bytes, so that patterns that begin with a given text are
// neighbours. As a text they need no parsing: the kernel waits for modprobe. What comes from a file may be damaged, which
// loses aliases and nothing else; but each line must be ended.
type aliases string

const aliasWord = "alias "

// aliasLine is one of aliases; pattern and module hold no white space.
func aliasLine(pattern, module string) string {
	return aliasWord + normal(pattern) + " " + module + "\n"
}

// newAliases sorts lines and drops those that are twice.
func newAliases(lines []string) aliases {
	slices.Sort(lines)
	return aliases(strings.Join(slices.Compact(lines), ""))
}

// match is the modules with a pattern that s matches. It walks down the sorted patterns one byte of s at a time, and
// tries only those whose first wildcard stands where the walk is: of 26,000 patterns a PCI device tries some fifty.
func (a aliases) match(s string) []string {
	var found []string
	for k := 0; a != ""; k++ {
		for _, wildcard := range []byte("*?[") {
			for pattern, module := range a.narrow(k, wildcard).all {
				if len(pattern) > k && glob(pattern[k:], s[k:]) {
					found = append(found, module)
				}
			}
		}
		if k == len(s) {
			for _, module := range a.narrow(k, ' ').all {
				found = append(found, module)
			}
			break
		}
		a = a.narrow(k, s[k])
	}
	return found
}

// all are the lines, as pattern and module.
func (a aliases) all(yield func(pattern, module string) bool) {
	for line := range strings.Lines(string(a)) {
		pattern, module, _ := strings.Cut(strings.TrimPrefix(line, aliasWord), " ")
		if !yield(pattern, strings.TrimSuffix(module, "\n")) {
			return
		}
	}
}

// narrow is the lines whose pattern has byte c at k, of lines that are equal before k. A pattern ends in a space.
func (a aliases) narrow(k int, c byte) aliases {
	a = a[a.search(k, c):]
	return a[:a.search(k, c+1)]
}

// search is where the first line begins whose pattern has at k a byte that is not below c.
func (a aliases) search(k int, c byte) int {
	lo, hi := 0, len(a) // both where a line begins
	for lo < hi {
		mid := (lo + hi) / 2
		start := lo + strings.LastIndexByte(string(a[lo:mid]), '\n') + 1
		if at := start + len(aliasWord) + k; at < len(a) && a[at] < c {
			lo = start + strings.IndexByte(string(a[start:]), '\n') + 1
		} else {
			hi = start
		}
	}
	return lo
}

// normal is an alias with "_" for every "-" outside brackets, as it is compared.
func normal(s string) string {
	if strings.IndexByte(s, '-') < 0 {
		return s
	}
	b, inside := []byte(s), false
	for i, c := range b {
		switch {
		case c == '[':
			inside = true
		case c == ']':
			inside = false
		case c == '-' && !inside:
			b[i] = '_'
		}
	}
	return string(b)
}

// glob is fnmatch(3) without flags: "*" is any text, "?" any byte, "[a-f]" or "[!a-f]" one of a set. Unlike path.Match it
// does not stop at "/". A bracket that is never closed is itself.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0 // after a "*": where it stands, and the text behind what it has taken so far
	for i < len(s) || p < len(pattern) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, from = p, i
				p++
				continue
			}
			if n, ok := one(pattern[p:], s[i:]); ok {
				p += n
				i++
				continue
			}
		}
		if star < 0 || from >= len(s) {
			return false
		}
		from++
		p, i = star+1, from
	}
	return true
}

// one matches the first element of pattern, of n bytes, with the first byte of s.
func one(pattern, s string) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	switch pattern[0] {
	case '?':
		return 1, true
	case '[':
		if end := strings.IndexByte(pattern[1:], ']'); end > 0 {
			return end + 2, inSet(pattern[1:end+1], s[0])
		}
	}
	return 1, pattern[0] == s[0]
}

// inSet tells whether c is in a set such as "a-fx" or "!0-9".
func inSet(set string, c byte) bool {
	negate := len(set) > 1 && (set[0] == '!' || set[0] == '^')
	if negate {
		set = set[1:]
	}
	in := false
	for i := 0; i < len(set); i++ {
		lo, hi := set[i], set[i]
		if i+2 < len(set) && set[i+1] == '-' {
			hi = set[i+2]
			i += 2
		}
		in = in || lo <= c && c <= hi
	}
	return in != negate
}
