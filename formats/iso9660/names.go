package iso9660

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/tree"
)

// style is how one of the two hierarchies spells names.
type style struct {
	limit  int             // characters of an identifier, without a version
	fold   func(rune) rune // to a permitted character
	encode func(name string, dir bool) []byte
	dirDot bool // whether a folder's name may hold a dot
}

// plain is section 7.5 and 7.6: upper case, digits and underscores, one dot, version 1; up to 31 characters, as from
// level 2 on.
var plain = style{
	limit: 31,
	fold: func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		case 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
			return r
		}
		return '_'
	},
	encode: func(name string, dir bool) []byte {
		switch {
		case dir:
			return []byte(name)
		case strings.Contains(name, "."):
			return []byte(name + ";1")
		}
		return []byte(name + ".;1")
	},
}

// joliet is UCS-2 with all but a few characters, and no versions, as all current writers have it.
var joliet = style{
	limit: 64,
	fold: func(r rune) rune {
		if r < ' ' || r > 0xffff || r == utf8Error || strings.ContainsRune(`*/:;?\`, r) {
			return '_'
		}
		return r
	},
	encode: func(name string, _ bool) []byte { return ucs2(name) },
	dirDot: true,
}

const utf8Error = '\uFFFD'

// ucs2 is s in big-endian 16-bit units.
func ucs2(s string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u>>8), byte(u))
	}
	return out
}

// names spells the entries of one folder, each differently, in the order given.
type names struct {
	style
	taken map[string]bool
	next  map[string]int // the number to try next behind a name that was taken
}

// maxExtension is the longest text behind a last dot that is kept as one when a name is cut.
const maxExtension = 8

// spell is n's name in the folder, cut and numbered where it must be, before encoding.
func (s *names) spell(n *tree.Node) string {
	base, ext := n.Name(), ""
	if i := strings.LastIndexByte(base, '.'); i > 0 && (s.dirDot || !n.Mode.IsDir()) {
		if behind := len(base) - i - 1; behind > 0 && behind <= maxExtension {
			base, ext = base[:i], base[i:]
		}
	}
	stem := []rune(strings.Map(s.fold, base))
	if ext != "" {
		ext = "." + strings.Map(s.fold, ext[1:])
	}
	limit := s.limit - len([]rune(ext))
	if ext == "" && !s.dirDot && !n.Mode.IsDir() {
		limit-- // for the dot that encode adds
	}
	name := string(stem[:min(len(stem), limit)]) + ext
	for first := name; s.taken[name]; {
		s.next[first]++
		number := strconv.Itoa(s.next[first])
		name = string(stem[:min(len(stem), limit-len(number))]) + number + ext
	}
	s.taken[name] = true
	return name
}
