package kmod

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Load is what to load, in order, so that everything that names stand for is loaded: before each module what it depends
// on and its soft dependencies "pre", after it those "post". What is built into the kernel needs nothing. A soft
// dependency that does not exist is left out, and one that itself needs the module is put behind it: it is a wish.
//
// The error, of kind Invalid, lists everything that is missing and every module that depends on itself. The order is then
// what can be tried all the same.
func (x *Index) Load(names ...string) ([]*Module, error) {
	l := loader{x: x, state: map[*Module]state{}, failures: map[*Module]int{}}
	for _, name := range names {
		modules, known := x.Lookup(name)
		if !known {
			l.complain("%s is missing", name)
		}
		for _, m := range modules {
			if !l.visit(m) {
				l.complain("%s", cycleText(l.cycle))
			}
		}
	}
	if len(l.faults) == 0 {
		return l.order, nil
	}
	return l.order, report.Errorf(report.Invalid, "kernel modules: %s", strings.Join(l.faults, "; "))
}

type state int

const (
	waiting state = iota + 1 // for what it depends on
	placed
)

const (
	maxDepth    = 100 // of dependencies; the deepest real ones have some 20
	maxFailures = 8   // after which a soft dependency is given up, so that a tangle of them takes linear time
)

type loader struct {
	x        *Index
	state    map[*Module]state
	failures map[*Module]int
	path     []*Module // the modules that are waiting, the outermost first
	order    []*Module
	cycle    []*Module // why visit failed last: each needs the next
	faults   []string
}

// visit places m behind what it needs. It fails where that needs a module that is waiting.
func (l *loader) visit(m *Module) bool {
	switch {
	case l.state[m] == placed:
		return true
	case l.state[m] == waiting || len(l.path) == maxDepth:
		from := max(0, slices.Index(l.path, m))
		l.cycle = append(append(l.cycle[:0], l.path[from:]...), m)
		return false
	}
	l.state[m] = waiting
	l.path = append(l.path, m)
	later := slices.DeleteFunc(l.soft(m.SoftPre), l.try)
	ok := l.visitDepends(m)
	l.path = l.path[:len(l.path)-1]
	if !ok {
		delete(l.state, m)
		return false
	}
	l.state[m] = placed
	l.order = append(l.order, m)
	for _, s := range append(later, l.soft(m.SoftPost)...) {
		l.try(s)
	}
	return true
}

func (l *loader) visitDepends(m *Module) bool {
	for _, name := range m.Needs() {
		modules, known := l.x.Lookup(name)
		if !known {
			l.complain("%s, which %s needs, is missing", name, m.Name)
		}
		for _, d := range modules {
			if !l.visit(d) {
				return false
			}
		}
	}
	return true
}

// try is visit for a soft dependency.
func (l *loader) try(m *Module) bool {
	if l.failures[m] >= maxFailures {
		return false
	}
	ok := l.visit(m)
	if !ok {
		l.failures[m]++
	}
	return ok
}

// soft is the modules that soft dependencies name, which are often aliases: libcrc32c asks for crc32c.
func (l *loader) soft(names []string) []*Module {
	var all []*Module
	for _, name := range names {
		modules, _ := l.x.Lookup(name)
		all = append(all, modules...)
	}
	return all
}

func (l *loader) complain(format string, args ...any) {
	if s := fmt.Sprintf(format, args...); !slices.Contains(l.faults, s) {
		l.faults = append(l.faults, s)
	}
}

// cycleText says how the first of path comes to need its last, in at most ten names.
func cycleText(path []*Module) string {
	var names []string
	for i, m := range path {
		if i < 8 || i == len(path)-1 {
			names = append(names, m.Name)
		} else if i == 8 {
			names = append(names, "…")
		}
	}
	return strings.Join(names, " needs ")
}
