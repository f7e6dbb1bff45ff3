package grub

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Menu is a grub.cfg, as the prebuilt GRUB reads it (GRUB manual, "Writing full configuration files directly"). It speaks on the screen and
// on the first serial port, as the kernel does. It can count the tries of its first entry in the Environment beside it. A GRUB of an older
// base cannot: it complains of load_env, counts nothing, and starts the default.
type Menu struct {
	Default int      // the entry that starts by itself, and instead of which the next one starts if it cannot be read
	Trial   string   // what the environment calls the first of two entries while it is on trial; empty where nothing is counted
	entries []string // as text
}

// Entry is one system. Paths are those of the file system that has the menu, without a slash in front.
type Entry struct {
	Title, Cmdline, Kernel string
	Initrds                []string
}

// NewMenu is the menu of the systems es, of which the first is the default.
func NewMenu(es ...Entry) *Menu {
	m := &Menu{}
	for _, e := range es {
		m.entries = append(m.entries, e.text())
	}
	return m
}

func (e Entry) text() string {
	var initrds strings.Builder
	for _, name := range e.Initrds {
		initrds.WriteString(" /" + name)
	}
	return fmt.Sprintf("menuentry %s {\n  linux /%s %s\n  initrd%s\n}\n", quote(e.Title), e.Kernel, args(e.Cmdline), initrds.String())
}

// String is the file.
func (m *Menu) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "serial --unit=0 --speed=115200\nterminal_input console serial\nterminal_output console serial\nset timeout=3\nset default=%d\n", m.Default)
	if n := len(m.entries); n > 1 {
		fmt.Fprintf(&b, "set fallback=%d\n", (m.Default+1)%n)
	}
	if m.counts() {
		b.WriteString(counting(m.Trial))
	}
	for _, e := range m.entries {
		b.WriteString(e)
	}
	return b.String()
}

// counts reports whether GRUB counts: an entry that does not start by itself has no tries.
func (m *Menu) counts() bool { return m.Trial != "" && m.Default == 0 && len(m.entries) == 2 }

// counting is the part of a menu that takes a try away each time, and takes the second entry when none is left. GRUB's scripts cannot
// calculate.
func counting(trial string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "load_env trial tries\nif [ \"$trial\" = %q ]; then\n  if [ \"$tries\" = 0 ]; then\n    set default=1\n    set fallback=0\n", trial)
	for left := 1; left <= Tries; left++ {
		fmt.Fprintf(&b, "  elif [ \"$tries\" = %d ]; then\n    set tries=%d\n    save_env tries\n", left, left-1)
	}
	b.WriteString("  fi\nfi\n")
	return b.String()
}

// maxMenu bounds a grub.cfg, in bytes.
const maxMenu = 1 << 20

// ParseMenu reads a file that String wrote, of this or another version of bootwright. The error is Invalid.
func ParseMenu(text string) (*Menu, error) {
	m := &Menu{}
	if len(text) <= maxMenu {
		m.entries = regexp.MustCompile(`(?m)^menuentry [^\n]*\{\n(?:  [^\n]*\n)+\}\n`).FindAllString(text, -1)
	}
	if len(m.entries) == 0 {
		return nil, report.Errorf(report.Invalid, "grub.cfg: no menu of bootwright's")
	}
	if found := regexp.MustCompile(`(?m)^set default=([0-9]{1,3})$`).FindStringSubmatch(text); found != nil {
		m.Default, _ = strconv.Atoi(found[1]) // three digits
	}
	if found := regexp.MustCompile(`(?m)^if \[ "\$trial" = "([0-9a-f]+)" \]; then$`).FindStringSubmatch(text); found != nil {
		m.Trial = found[1]
	}
	if m.Default >= len(m.entries) {
		return nil, report.Errorf(report.Invalid, "grub.cfg: entry %d of %d is the default", m.Default, len(m.entries))
	}
	return m, nil
}

// Add is the menu of e and the default of m, and nothing else. e starts by itself, on trial where trial is not empty.
func (m *Menu) Add(e Entry, trial string) *Menu {
	return &Menu{Trial: trial, entries: []string{e.text(), m.entries[m.Default]}}
}

// Only is the menu of the default of m, and nothing else.
func (m *Menu) Only() *Menu { return &Menu{entries: m.entries[m.Default : m.Default+1]} }

// Len is the number of entries.
func (m *Menu) Len() int { return len(m.entries) }

// Index is the entry that loads the kernel of that path; -1 where none does.
func (m *Menu) Index(kernel string) int {
	return slices.IndexFunc(m.entries, func(e string) bool { return strings.Contains(e, "\n  linux /"+kernel+" ") })
}

// Kernel is the path of the kernel that entry i loads; empty where it loads none. Initrds are those of what it loads besides.
func (m *Menu) Kernel(i int) string {
	found := regexp.MustCompile(`\n  linux /([^ \n]*)`).FindStringSubmatch(m.entries[i])
	if found == nil {
		return ""
	}
	return found[1]
}

// Initrds follows Kernel.
func (m *Menu) Initrds(i int) (paths []string) {
	if found := regexp.MustCompile(`\n  initrd ([^\n]*)`).FindStringSubmatch(m.entries[i]); found != nil {
		for _, name := range strings.Fields(found[1]) {
			paths = append(paths, strings.TrimPrefix(name, "/"))
		}
	}
	return paths
}

// Holds reports whether any entry names path, or something in it.
func (m *Menu) Holds(path string) bool {
	return slices.ContainsFunc(m.entries, func(e string) bool {
		return regexp.MustCompile(` /` + regexp.QuoteMeta(path) + `[/ \n]`).MatchString(e)
	})
}

// args quotes each kernel argument, so that GRUB expands nothing in it. An argument whose value holds spaces loses its
// own quotes: GRUB puts some around the whole argument again, which the kernel reads the same.
func args(cmdline string) string {
	var out []string
	quoted := false
	for _, a := range strings.FieldsFunc(cmdline, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ' ' && !quoted
	}) {
		out = append(out, quote(strings.ReplaceAll(a, `"`, "")))
	}
	return strings.Join(out, " ")
}

func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
