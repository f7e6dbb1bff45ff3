package kmod

import (
	"cmp"
	"slices"
	"strings"
)

// Index finds modules by name or alias and puts them into load order. It does not change once made, and may be used from
// several goroutines.
type Index struct {
	modules        []*Module      // in order of preference
	byName         map[string]int // position in modules
	aliases        aliases
	builtin        map[string]bool
	builtinAliases aliases
	kernel         KernelFiles
}

// KernelFiles are the contents of what the kernel's build leaves beside its modules; each may be missing.
type KernelFiles struct {
	Builtin        string // modules.builtin: paths of what would be modules, a line each
	BuiltinModinfo string // modules.builtin.modinfo: name.key=value, each ended by a NUL
	Order          string // modules.order: paths in the order of preference, a line each
}

// NewIndex is the index of modules and of what is built into the kernel. Of two modules of one name, one under updates/
// is taken, else the first by path.
func NewIndex(modules []*Module, kernel KernelFiles) *Index {
	x := &Index{kernel: kernel}
	x.setModules(inOrder(modules, kernel.Order))
	var lines []string
	for _, m := range x.modules {
		for _, pattern := range m.Aliases {
			lines = append(lines, aliasLine(pattern, m.Name))
		}
	}
	x.aliases = newAliases(lines)
	x.setBuiltin()
	return x
}

// inOrder sorts modules by their line in modules.order; those without one come last, by path.
func inOrder(modules []*Module, order string) []*Module {
	rank := map[string]int{}
	for line := range strings.SplitSeq(order, "\n") {
		rank[line] = len(rank) - len(order) // below zero, the rank of what has no line
	}
	return slices.SortedFunc(slices.Values(modules), func(a, b *Module) int {
		return cmp.Or(cmp.Compare(rank[uncompressed(a.Path)], rank[uncompressed(b.Path)]), cmp.Compare(a.Path, b.Path))
	})
}

func uncompressed(p string) string { return p[:strings.LastIndex(p, ".ko")+len(".ko")] }

func (x *Index) setModules(modules []*Module) {
	x.byName = make(map[string]int, len(modules))
	for _, m := range modules {
		if i, ok := x.byName[m.Name]; !ok {
			x.byName[m.Name] = len(x.modules)
			x.modules = append(x.modules, m)
		} else if isUpdate(m) && !isUpdate(x.modules[i]) {
			x.modules[i] = m
		}
	}
}

func isUpdate(m *Module) bool { return strings.HasPrefix(m.Path, "updates/") }

func (x *Index) setBuiltin() {
	x.builtin = map[string]bool{}
	for line := range strings.SplitSeq(x.kernel.Builtin, "\n") {
		if line != "" {
			x.builtin[Name(line)] = true
		}
	}
	var lines []string
	for field := range strings.SplitSeq(x.kernel.BuiltinModinfo, "\x00") {
		key, value, _ := strings.Cut(field, "=")
		if name, ok := strings.CutSuffix(key, ".alias"); ok {
			lines = append(lines, aliasLine(value, Name(name)))
		}
	}
	x.builtinAliases = newAliases(lines)
}

// Modules are all modules of the index, in order of preference.
func (x *Index) Modules() []*Module { return slices.Clone(x.modules) }

// Kernel is what the kernel's build left beside the modules, for an index of some of them: NewIndex(some, x.Kernel()).
func (x *Index) Kernel() KernelFiles { return x.kernel }

// Lookup is the modules that name stands for, in the order in which they should be tried: the one of that name ("-" and
// "_" are equal), or else all that have an alias that matches. known is false for a name that stands for nothing, and
// true without modules for what is built into the kernel.
func (x *Index) Lookup(name string) (modules []*Module, known bool) {
	name = normal(name)
	if i, ok := x.byName[name]; ok {
		return x.modules[i : i+1 : i+1], true
	}
	var found []int
	for _, m := range x.aliases.match(name) {
		if i, ok := x.byName[m]; ok && !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	slices.Sort(found)
	for _, i := range found {
		modules = append(modules, x.modules[i])
	}
	return modules, len(found) > 0 || x.builtin[name] || len(x.builtinAliases.match(name)) > 0
}
