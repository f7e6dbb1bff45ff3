package kmod

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// alias says that module is for what pattern matches.
type alias struct{ pattern, module string }

// aliases are sorted by pattern, so that those that begin with a given text are neighbours.
type aliases []alias

func compareAliases(a, b alias) int {
	return cmp.Or(cmp.Compare(a.pattern, b.pattern), cmp.Compare(a.module, b.module))
}

func (a aliases) sort() {
	if !slices.IsSortedFunc(a, compareAliases) {
		slices.SortFunc(a, compareAliases)
	}
}

// match is the modules with a pattern that s matches. It walks down the sorted patterns one byte of s at a time, and
// tries only those whose first wildcard stands where the walk is: of 26,000 patterns a PCI device tries some fifty.
func (a aliases) match(s string) []string {
	var found []string
	for k := 0; len(a) > 0; k++ {
		for _, wildcard := range []byte("*?[") {
			for _, c := range a.narrow(k, wildcard) {
				if glob(c.pattern[k:], s[k:]) {
					found = append(found, c.module)
				}
			}
		}
		if k == len(s) {
			for len(a) > 0 && len(a[0].pattern) == k {
				found = append(found, a[0].module)
				a = a[1:]
			}
			break
		}
		a = a.narrow(k, s[k])
	}
	return found
}

// narrow is those with byte c at k, of aliases that are equal before k.
func (a aliases) narrow(k int, c byte) aliases {
	at := func(i int) int {
		if len(a[i].pattern) == k {
			return -1
		}
		return int(a[i].pattern[k])
	}
	lo := sort.Search(len(a), func(i int) bool { return at(i) >= int(c) })
	hi := lo + sort.Search(len(a)-lo, func(i int) bool { return at(lo+i) > int(c) })
	return a[lo:hi]
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
