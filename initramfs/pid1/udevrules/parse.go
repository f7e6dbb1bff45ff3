// Package udevrules applies the rules of machine.udev.rules that make sense without udevd (udev(7)): those that give the
// node of a device its permissions, its owner, and links. They may match by KERNEL, SUBSYSTEM, DEVPATH and ATTR{file}; ACTION may
// be add or change. Rules that run programs, import variables, tag, look at parent devices or jump are refused.
package udevrules

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// rule is what is to become of the nodes that match.
type rule struct {
	matches      []match
	mode         fs.FileMode
	setMode      bool
	owner, group string
	links        []string
}

// match compares one property of a device.
type match struct {
	key, file string // ATTR has a file
	not       bool
	patterns  []string
}

// parse reads one line.
func parse(line string) (rule, error) {
	var r rule
	for rest := strings.TrimSpace(line); rest != ""; {
		key, op, value, after, err := pair(rest)
		if err != nil {
			return rule{}, err
		}
		if op == "==" || op == "!=" {
			err = r.match(key, op, value)
		} else {
			err = r.assign(key, op, value)
		}
		if err != nil {
			return rule{}, err
		}
		rest = strings.TrimLeft(after, ", \t")
	}
	switch {
	case len(r.matches) == 0:
		return rule{}, errors.New("it matches every device; name the device by KERNEL or SUBSYSTEM")
	case !r.setMode && r.owner == "" && r.group == "" && r.links == nil:
		return rule{}, errors.New("it does nothing: there is no MODE, OWNER, GROUP or SYMLINK")
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

func (r *rule) match(key, op, value string) error {
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
		r.matches = append(r.matches, match{name, file, op == "!=", patterns})
		return nil
	}
	return unsupported(key)
}

func (r *rule) assign(key, op, value string) error {
	if op == "-=" {
		return unsupported(key + op)
	}
	switch key {
	case "MODE":
		mode, err := strconv.ParseUint(value, 8, 32)
		if err != nil || mode > 0o777 {
			return fmt.Errorf("MODE: %q is no mode such as 0660", value)
		}
		r.mode, r.setMode = fs.FileMode(mode), true
	case "OWNER":
		r.owner = value
	case "GROUP":
		r.group = value
	case "SYMLINK":
		for _, l := range strings.Fields(value) {
			if !fs.ValidPath(l) || l == "." {
				return fmt.Errorf("SYMLINK: %q is not below /dev", l)
			}
			r.links = append(r.links, l)
		}
	default:
		return unsupported(key)
	}
	return nil
}

func unsupported(key string) error {
	return fmt.Errorf("%.40s is not supported: there is no udevd, and rules can only match by KERNEL, SUBSYSTEM, DEVPATH and ATTR, and set MODE, OWNER, GROUP and SYMLINK", key)
}
