package kmod

import (
	"cmp"
	"slices"
	"strings"
)

// With is the index of x's modules and of modules laid over them, which come from Read and have one name each. A module
// that x has by the same name is gone, as are its aliases; those that x has not are preferred last. x itself may come from
// ReadIndex: its modules are not read.
func (x *Index) With(modules []*Module) *Index {
	over := make(map[string]*Module, len(modules))
	for _, m := range modules {
		over[m.Name] = m
	}
	var all []*Module
	for _, m := range x.modules {
		if o := over[m.Name]; o != nil {
			m = o
		}
		all = append(all, m)
	}
	out := &Index{kernel: x.kernel}
	out.setModules(append(all, slices.SortedFunc(slices.Values(modules), func(a, b *Module) int { return cmp.Compare(a.Path, b.Path) })...))
	var lines []string
	for pattern, module := range x.aliases.all {
		if over[module] == nil {
			lines = append(lines, aliasLine(pattern, module))
		}
	}
	for _, m := range modules {
		for _, pattern := range m.Aliases {
			lines = append(lines, aliasLine(pattern, m.Name))
		}
	}
	out.aliases = newAliases(lines)
	out.setBuiltin()
	return out
}

// BuiltinFirmware are the names, relative to lib/firmware, of the firmware that what is built into the kernel may ask
// for; some are glob patterns (path.Match).
func (x *Index) BuiltinFirmware() []string {
	var names []string
	for field := range strings.SplitSeq(x.kernel.BuiltinModinfo, "\x00") {
		key, value, _ := strings.Cut(field, "=")
		if strings.HasSuffix(key, ".firmware") {
			names = append(names, value)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
