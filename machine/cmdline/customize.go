package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Customize applies extra to args, one after another: "-name" removes all arguments of that name so far and "-name=value" those with
// that value; console and talos.platform replace those before them; any other is appended.
func Customize(args Args, extra []string) (Args, error) {
	args = slices.Clone(args)
	replaced := map[string]bool{}
	for _, word := range extra {
		negated := strings.TrimPrefix(word, "-")
		arg, err := ParseWord(negated)
		if err != nil {
			return nil, err
		}
		if negated != word {
			args = remove(args, arg)
			continue
		}
		if (arg.Key == "console" || arg.Key == Platform) && !replaced[arg.Key] {
			args = remove(args, Arg{Key: arg.Key})
			replaced[arg.Key] = true
		}
		args = append(args, arg)
	}
	return args, nil
}

// remove takes away every argument that is arg or, where arg has no value, has its name.
func remove(args Args, arg Arg) Args {
	return slices.DeleteFunc(args, func(a Arg) bool { return a == arg || !arg.HasValue && a.Key == arg.Key })
}

// ParseWord reads one argument as people write it: name, name=value or name="value with spaces"; the quotes may be left out.
func ParseWord(s string) (Arg, error) {
	name, value, valued := strings.Cut(s, "=")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	bad := func(r rune) bool { return r < ' ' || r > '~' || r == '"' }
	switch {
	case name == "" || name[0] == '-':
		return Arg{}, fmt.Errorf("%.100q names no kernel argument", s)
	case strings.ContainsRune(name, ' '):
		return Arg{}, report.WithHint(fmt.Errorf("%.100q has a space in its name", s), "give each argument as an item of its own")
	case strings.ContainsFunc(name+value, bad):
		return Arg{}, report.WithHint(fmt.Errorf("%.100q cannot stand on a kernel command line", s),
			"printable ASCII only; quotes only around a value")
	}
	return Arg{Key: name, Value: value, HasValue: valued}, nil
}
