// Package configarea is the reserved place of a boot asset that holds machine configurations outside of what is measured
// and signed with the image: text of a fixed size that can be written anew without touching anything else.
//
// The format, which is specified here:
//
//	area    = header *entry padding
//	header  = "# bootwright configuration area v1" LF
//	entry   = "# entry " MATCH " " SIZE LF content LF
//	padding = *LF [pending]
//	pending = text "# pending " SIZE " " DIGEST LF
//
// MATCH says for which machine an entry is: "default", or a machine's SMBIOS UUID, its serial number or the MAC address of
// one of its network interfaces, in the form that Match gives. SIZE is the number of bytes of content, in decimal digits.
// Entries are in the order of their matches, "default" first, and no two have the same. An area of one YAML document is
// YAML itself.
//
// Pending is what is being written: text is header *entry of SIZE bytes, in ten digits, which takes the place of what is in
// front as soon as it is what DIGEST says, its SHA-256 in hexadecimal digits. Until then it is not looked at.
package configarea

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/bootwright/bootwright/internal/report"
)

const (
	// Path is where an area is in an initramfs: systemd-stub puts the credentials beside a UKI there.
	Path = ".extra/credentials/config.cred"
	// EmbeddedPath is where an area is that was built into the initramfs itself.
	EmbeddedPath = "usr/local/etc/talos/config.yaml"
	// Unit is what the size of a reserved area is a multiple of, in bytes.
	Unit = 64 << 10
	// MaxSize bounds an area: a machine of little memory holds it before anything else runs. In bytes.
	MaxSize = 32 << 20
	// Default is the match of the entry for machines that no other entry is for.
	Default = "default"

	header   = "# bootwright configuration area v1\n"
	intro    = "# entry "
	maxMatch = 128 // bytes
)

// Entry is one configuration and the machine that it is for.
type Entry struct {
	Match  string // as Match gives it
	Config []byte
}

// Match is the form in which matches are compared and written: lower case, a MAC address with colons.
func Match(s string) (string, error) {
	m := strings.ToLower(strings.TrimSpace(s))
	if regexp.MustCompile(`^[0-9a-f]{2}(-[0-9a-f]{2}){5}$`).MatchString(m) {
		m = strings.ReplaceAll(m, "-", ":")
	}
	if m == "" || len(m) > maxMatch || strings.ContainsFunc(m, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", report.Errorf(report.Invalid, "%.150q is not a UUID, a serial number or a MAC address: they are up to %d printable bytes", s, maxMatch)
	}
	return m, nil
}

// Size is how many bytes an area needs that holds entries.
func Size(entries []Entry) int64 {
	n := len(header)
	for _, e := range entries {
		n += len(introduction(e)) + len(e.Config) + 1
	}
	return int64(n)
}

func introduction(e Entry) string { return fmt.Sprintf("%s%s %d\n", intro, e.Match, len(e.Config)) }

// Encode is the area of size bytes that holds entries, whatever their order. Errors are Invalid: a match that is wrong or
// there twice, or more than fits.
func Encode(entries []Entry, size int64) ([]byte, error) {
	if need := Size(entries); need > size || size > MaxSize {
		return nil, report.Errorf(report.Invalid, "the machine configurations need %d bytes, and there is room for %d", need, min(size, MaxSize))
	}
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, order)
	area := make([]byte, 0, size)
	area = append(area, header...)
	for i, e := range sorted {
		if err := checkMatch(e.Match); err != nil {
			return nil, err
		}
		if i > 0 && sorted[i-1].Match == e.Match {
			return nil, report.Errorf(report.Invalid, "two machine configurations for %s", e.Match)
		}
		area = append(append(append(area, introduction(e)...), e.Config...), '\n')
	}
	area = append(area, bytes.Repeat([]byte("\n"), int(size)-len(area))...)
	if _, _, found := pending(area); found {
		return nil, report.Errorf(report.Invalid, "the last machine configuration ends like something that is pending")
	}
	return area, nil
}

func order(a, b Entry) int {
	switch {
	case a.Match == b.Match:
		return 0
	case a.Match == Default:
		return -1
	case b.Match == Default:
		return 1
	}
	return cmp.Compare(a.Match, b.Match)
}

func checkMatch(m string) error {
	form, err := Match(m)
	if err == nil && form != m {
		err = report.Errorf(report.Invalid, "%.150q should be %q", m, form)
	}
	return err
}

// Decode is Encode backwards; contents are slices of area. An error is NotFound where there is no area and Invalid, with the
// offset, where one is damaged. Of an area that Rewrite was not done with, it is what is there or what is to be there.
func Decode(area []byte) ([]Entry, error) {
	switch at, complete, found := pending(area); {
	case complete:
		area = area[at : len(area)-trailerSize]
	case found:
		area = area[:at]
	}
	if !bytes.HasPrefix(area, []byte(header)) {
		return nil, report.Errorf(report.NotFound, "no configuration area: it would begin with %q", strings.TrimSpace(header))
	}
	var entries []Entry
	rest := area[len(header):]
	for bytes.HasPrefix(rest, []byte(intro)) {
		at := len(area) - len(rest)
		e, after, err := decodeEntry(rest)
		if err == nil && len(entries) > 0 && order(entries[len(entries)-1], e) >= 0 {
			err = report.Errorf(report.Invalid, "entry %s is twice or out of order", e.Match)
		}
		if err != nil {
			return nil, report.Errorf(report.Invalid, "configuration area: offset %d: %w", at, err)
		}
		entries, rest = append(entries, e), after
	}
	if i := bytes.IndexFunc(rest, func(r rune) bool { return r != '\n' }); i >= 0 {
		return nil, report.Errorf(report.Invalid, "configuration area: offset %d: neither an entry nor padding", len(area)-len(rest)+i)
	}
	return entries, nil
}

func decodeEntry(p []byte) (e Entry, rest []byte, err error) {
	line, _, ended := bytes.Cut(p[:min(len(p), len(intro)+maxMatch+32)], []byte("\n"))
	fields := string(line[len(intro):])
	i := strings.LastIndexByte(fields, ' ')
	if !ended || i < 0 {
		return e, nil, report.Errorf(report.Invalid, "an entry without match or size")
	}
	rest = p[len(line)+1:]
	size, err := strconv.ParseUint(fields[i+1:], 10, 32)
	if err != nil || strconv.FormatUint(size, 10) != fields[i+1:] || size >= uint64(len(rest)) || rest[size] != '\n' {
		return e, nil, report.Errorf(report.Invalid, "entry %.150q does not have %.20q bytes", fields[:i], fields[i+1:])
	}
	e = Entry{Match: fields[:i], Config: rest[:size:size]}
	return e, rest[size+1:], checkMatch(e.Match)
}

// Machine is what a machine is known by; what is not known is empty.
type Machine struct {
	UUID, Serial string // of SMBIOS
	MACs         []string
}

// Pick is the entry for m: that of its UUID, else of its serial number, else of a MAC address, else the default one.
func Pick(entries []Entry, m Machine) (Entry, bool) {
	for _, name := range append(append([]string{m.UUID, m.Serial}, m.MACs...), Default) {
		form, err := Match(name)
		if err != nil {
			continue
		}
		if i := slices.IndexFunc(entries, func(e Entry) bool { return e.Match == form }); i >= 0 {
			return entries[i], true
		}
	}
	return Entry{}, false
}
