package fat

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bootwright/bootwright/internal/report"
)

// shortName is the name in a folder entry: eight bytes and an extension of three, padded with spaces.
type shortName [11]byte

const (
	maxName       = 255 // UTF-16 units
	unitsPerEntry = 13
	shortMarks    = "$%'-_@~`!(){}^#&"
)

// checkName reports why name cannot be in a folder, or nil. Names that end in a dot or a space would not be found
// again: other systems cut these off.
func checkName(name string) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("the name is not UTF-8")
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || strings.ContainsRune(`"*/:<>?\|`, r) }); i >= 0 {
		return fmt.Errorf("FAT forbids the character %q in a name", name[i])
	}
	if c := name[len(name)-1]; c == '.' || c == ' ' {
		return fmt.Errorf("FAT forbids %q at the end of a name", c)
	}
	if n := len(utf16.Encode([]rune(name))); n > maxName {
		return fmt.Errorf("the name is too long: %d UTF-16 units, at most %d", n, maxName)
	}
	return nil
}

func checkLabel(label string) error {
	if len(label) > len(shortName{}) {
		return report.Errorf(report.Invalid, "label %q is longer than %d bytes", label, len(shortName{}))
	}
	for _, c := range []byte(label) {
		if !isShort(c) && c != ' ' {
			return report.WithHint(report.Errorf(report.Invalid, "label %q: FAT forbids the character %q in a label", label, c), "use capital letters, digits, spaces and any of %s", shortMarks)
		}
	}
	return nil
}

// labelField is a label as it is stored, in the boot sector and as an entry of the root folder.
func labelField(label string) shortName {
	if label == "" {
		label = "NO NAME"
	}
	return pack(label, "")
}

// isShort reports whether a short name may have c.
func isShort(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(shortMarks, c) >= 0
}

func pack(base, ext string) shortName {
	s := shortName([]byte("           "))
	copy(s[:], base)
	copy(s[8:], ext)
	return s
}

// asShort is name as a short name, if case is all that would be lost.
func asShort(name string) (s shortName, ok bool) {
	upper := asciiUpper(name)
	base, ext, dotted := strings.Cut(upper, ".")
	if len(base) == 0 || len(base) > 8 || len(ext) > 3 || dotted && ext == "" {
		return s, false
	}
	for _, c := range []byte(base + ext) {
		if !isShort(c) {
			return s, false
		}
	}
	return pack(base, ext), true
}

func asciiUpper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}, s)
}

// aliases hands out the short names of one folder, all different, in constant time each.
type aliases struct {
	used map[shortName]bool
	next map[tail]int // the next number to try
}

// tail is what short names have in common that differ only in the number after the tilde; the number has so many digits.
type tail struct {
	prefix, ext string
	digits      int
}

func newAliases(n int) *aliases {
	return &aliases{make(map[shortName]bool, n), map[tail]int{}}
}

// numbered is a short name BASE~N.EXT for a name that cannot be one itself.
func (a *aliases) numbered(name string) (shortName, error) {
	base, ext := basis(name)
	low := 1
	for digits := 1; digits <= 6; digits++ {
		t := tail{base[:min(len(base), 7-digits)], ext, digits}
		for n := max(low, a.next[t]); n < low*10; n++ {
			a.next[t] = n + 1
			if s := pack(t.prefix+"~"+strconv.Itoa(n), ext); !a.used[s] {
				a.used[s] = true
				return s, nil
			}
		}
		low *= 10
	}
	return shortName{}, fmt.Errorf("too many names in this folder begin like it")
}

// basis is what the specification's algorithm makes of a long name: capital letters, without spaces and all but the
// last dot, and underscores for what a short name cannot have.
func basis(name string) (base, ext string) {
	name = strings.TrimLeft(asciiUpper(name), ". ")
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name, ext = name[:i], name[i+1:]
	}
	plain := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r == ' ' || r == '.':
				return -1
			case r < utf8.RuneSelf && isShort(byte(r)):
				return r
			}
			return '_'
		}, s)
	}
	ext = plain(ext)
	return plain(name), ext[:min(len(ext), 3)]
}

// checksum ties long name entries to their short one.
func (s shortName) checksum() byte {
	var sum byte
	for _, c := range s {
		sum = sum>>1 | sum<<7
		sum += c
	}
	return sum
}

// cp437 is the upper half of the code page that short names are in on most machines.
const cp437 = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0"

// Flags in a folder entry's reserved byte, by which Windows NT stores short names in lower case.
const (
	lowerBase = 0x08
	lowerExt  = 0x10
)

// text is the short name as people see it.
func (s shortName) text(flags byte) string {
	if s[0] == 0x05 { // stands for 0xE5, which marks a free entry
		s[0] = 0xE5
	}
	base, ext := decodeOEM(s[:8]), decodeOEM(s[8:])
	if flags&lowerBase != 0 {
		base = strings.ToLower(base)
	}
	if flags&lowerExt != 0 {
		ext = strings.ToLower(ext)
	}
	if ext == "" {
		return base
	}
	return base + "." + ext
}

// decodeOEM is p as text, without the spaces that pad it.
func decodeOEM(p []byte) string {
	var b strings.Builder
	for _, c := range p {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			b.WriteRune([]rune(cp437)[c-utf8.RuneSelf])
		}
	}
	return strings.TrimRight(b.String(), " ")
}
