// Package rule reads rules of udev(7) as far as they make sense without udevd: matches by KERNEL, SUBSYSTEM, DEVPATH and
// ATTR{file}, and MODE, OWNER, GROUP and SYMLINK. ACTION may be add or change. All else is refused.
package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Rule is what is to become of the nodes that match.
type Rule struct {
	Matches      []Match // all of which a device has to fit
	Mode         fs.FileMode
	SetMode      bool   // whether Mode counts
	Owner, Group string // names or numbers; "" leaves them as they are
	Links        []string
}

// Match compares one property of a device.
type Match struct {
	Key, File string // ATTR has a file
	Not       bool
	Patterns  []string // of path.Match; one is enough
}

// Parse reads one line.
func Parse(line string) (Rule, error) {
	var r Rule
	for rest := strings.TrimSpace(line); rest != ""; {
		key, op, value, after, err := pair(rest)
		if err != nil {
			return Rule{}, err
		}
		if op == "==" || op == "!=" {
			err = r.match(key, op, value)
		} else {
			err = r.assign(key, op, value)
		}
		if err != nil {
			return Rule{}, err
		}
		rest = strings.TrimLeft(after, ", \t")
	}
	switch {
	case len(r.Matches) == 0:
		return Rule{}, errors.New("it matches every device; name the device by KERNEL or SUBSYSTEM")
	case !r.SetMode && r.Owner == "" && r.Group == "" && r.Links == nil:
		return Rule{}, errors.New("it does nothing: there is no MODE, OWNER, GROUP or SYMLINK")
	}
	return r, nil
}

// pair takes KEY op "value" off the beginning of s.
func pair(s string) (key, op, value, rest string, err error) {
	i := strings.IndexAny(s, "=!+:-")
	if i <= 0 {
		return "", "", "", "", fmt.Errorf("%.40q is not KEY==\"value\" or KEY=\"value\"", s)
	}
	key, s = strings.TrimSpace(s[:i]), s[i:]
	for _, o := range []string{"==", "!=", "+=", ":=", "-=", "="} {
		if after, ok := strings.CutPrefix(s, o); ok {
			op, s = o, strings.TrimSpace(after)
			break
		}
	}
	s, ok := strings.CutPrefix(s, `"`)
	end := strings.IndexByte(s, '"')
	if op == "" || !ok || end < 0 {
		return "", "", "", "", fmt.Errorf("%s: the value is not in quotes", key)
	}
	return key, op, s[:end], s[end+1:], nil
}

func (r *Rule) match(key, op, value string) error {
	name, file, _ := strings.Cut(strings.TrimSuffix(key, "}"), "{")
	patterns := strings.Split(value, "|")
	for _, p := range patterns {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("%s: %q is no pattern", key, p)
		}
	}
	switch {
	case name == "ACTION" && op == "==":
		if !slices.Contains(patterns, "add") && !slices.Contains(patterns, "change") {
			return errors.New("rules apply to devices that are there: ACTION can be add or change")
		}
		return nil
	case name == "ATTR" && !fs.ValidPath(file):
		return fmt.Errorf("%s is no attribute", key)
	case name == "ATTR", slices.Contains([]string{"KERNEL", "SUBSYSTEM", "DEVPATH"}, key):
		r.Matches = append(r.Matches, Match{name, file, op == "!=", patterns})
		return nil
	}
	return unsupported(key)
}

func (r *Rule) assign(key, op, value string) error {
	if op == "-=" {
		return unsupported(key + op)
	}
	switch key {
	case "MODE":
		mode, err := strconv.ParseUint(value, 8, 32)
		if err != nil || mode > 0o777 {
			return fmt.Errorf("MODE: %q is no mode such as 0660", value)
		}
		r.Mode, r.SetMode = fs.FileMode(mode), true
	case "OWNER":
		r.Owner = value
	case "GROUP":
		r.Group = value
	case "SYMLINK":
		for _, l := range strings.Fields(value) {
			if !fs.ValidPath(l) || l == "." {
				return fmt.Errorf("SYMLINK: %q is not below /dev", l)
			}
			r.Links = append(r.Links, l)
		}
	default:
		return unsupported(key)
	}
	return nil
}

func unsupported(key string) error {
	return fmt.Errorf("%.40s is not supported: there is no udevd, and rules can only match by KERNEL, SUBSYSTEM, DEVPATH and ATTR, and set MODE, OWNER, GROUP and SYMLINK", key)
}

// Fits tells whether a property has the value that the match asks for.
func (m Match) Fits(value string) bool { return m.has(value) != m.Not }

func (m Match) has(value string) bool {
	if m.Key == "DEVPATH" { // wildcards of udev also stand for slashes
		value = strings.ReplaceAll(value, "/", "\x01")
	}
	for _, p := range m.Patterns {
		if m.Key == "DEVPATH" {
			p = strings.ReplaceAll(p, "/", "\x01")
		}
		if ok, _ := path.Match(p, value); ok {
			return true
		}
	}
	return false
}
