// Package cmdline reads and writes Linux kernel command lines (Documentation/admin-guide/kernel-parameters.rst and
// lib/cmdline.c), and knows the arguments that a bootwright machine obeys.
//
// The names talos.platform, talos.config and so on are those of the configuration guide, kept exactly.
package cmdline

import "strings"

// Arg is one argument: "quiet" is a Key, "panic=10" and "panic=" have a Value.
type Arg struct {
	Key, Value string
	HasValue   bool
}

// String is the argument as it is written, in quotes where white space needs them.
func (a Arg) String() string {
	switch {
	case !a.HasValue:
		return quote(a.Key)
	case hasSpace(a.Value):
		return a.Key + `="` + a.Value + `"`
	}
	return a.Key + "=" + a.Value
}

func quote(s string) string {
	if hasSpace(s) {
		return `"` + s + `"`
	}
	return s
}

// space is what separates arguments (isspace of lib/ctype.c).
const space = " \t\n\v\f\r\xa0"

func hasSpace(s string) bool {
	for i := range len(s) {
		if strings.IndexByte(space, s[i]) >= 0 {
			return true
		}
	}
	return false
}

// Args are a command line in order. An argument may occur several times.
type Args []Arg

// Parse splits a command line as the kernel does: at white space outside double quotes, and each argument at its first
// "=". Quotes are dropped where they surround a value or a whole argument, and nothing escapes them.
func Parse(s string) Args {
	var args Args
	for {
		for s != "" && strings.IndexByte(space, s[0]) >= 0 {
			s = s[1:]
		}
		if s == "" {
			return args
		}
		n := wordLength(s)
		args = append(args, parseArg(s[:n]))
		s = s[n:]
	}
}

// wordLength is where the first white space outside quotes is.
func wordLength(s string) int {
	quoted := false
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(space, c) >= 0:
			return i
		}
	}
	return len(s)
}

func parseArg(s string) Arg {
	if rest, ok := strings.CutPrefix(s, `"`); ok {
		s = strings.TrimSuffix(rest, `"`)
	}
	key, value, ok := strings.Cut(s, "=")
	if rest, quoted := strings.CutPrefix(value, `"`); quoted {
		value = strings.TrimSuffix(rest, `"`)
	}
	return Arg{key, value, ok}
}

// String is the command line.
func (a Args) String() string {
	words := make([]string, len(a))
	for i, arg := range a {
		words[i] = arg.String()
	}
	return strings.Join(words, " ")
}

// Get is the value of the last argument of that name; ok tells whether there is one. "-" and "_" are equal in names.
func (a Args) Get(name string) (value string, ok bool) {
	for _, arg := range a {
		if same(arg.Key, name) {
			value, ok = arg.Value, true
		}
	}
	return value, ok
}

// All are the values of every argument of that name, in order.
func (a Args) All(name string) []string {
	var values []string
	for _, arg := range a {
		if same(arg.Key, name) {
			values = append(values, arg.Value)
		}
	}
	return values
}

// ModuleOptions are the parameters for a kernel module: of "nvme_core.io_timeout=30" the module nvme_core gets
// "io_timeout=30". The kernel itself applies them only to what is built in; whoever loads a module passes them on.
func (a Args) ModuleOptions(module string) string {
	var options []string
	for _, arg := range a {
		if m, param, ok := strings.Cut(arg.Key, "."); ok && same(m, module) {
			options = append(options, Arg{param, arg.Value, arg.HasValue}.String())
		}
	}
	return strings.Join(options, " ")
}

// Blocked are the modules that modprobe.blacklist and module_blacklist name: they must not be loaded because a device
// asks for them.
func (a Args) Blocked() []string {
	var names []string
	for _, list := range append(a.All("modprobe.blacklist"), a.All("module_blacklist")...) {
		for name := range strings.SplitSeq(list, ",") {
			if name != "" {
				names = append(names, dashless(name))
			}
		}
	}
	return names
}

func same(a, b string) bool { return len(a) == len(b) && dashless(a) == dashless(b) }

func dashless(s string) string { return strings.ReplaceAll(s, "-", "_") }
