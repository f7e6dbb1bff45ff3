package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// The limits, in lines with comments and blanks. Past the soft one a function is only counted.
const (
	maxPackage   = 1500
	maxFunction  = 80
	softFunction = 60
)

func TestPackageSizes(t *testing.T) {
	var sizes []int
	largest, largestSize := "", 0
	for pkg, files := range load(t).packages() {
		size := 0
		for _, f := range files {
			size += f.lines
		}
		if size > maxPackage {
			t.Errorf("%s has %d lines, more than %d: it holds more than one idea", pkg, size, maxPackage)
		}
		if size > largestSize {
			largest, largestSize = pkg, size
		}
		sizes = append(sizes, size)
	}
	slices.Sort(sizes)
	t.Logf("%d packages, median %d lines, largest %s with %d", len(sizes), sizes[len(sizes)/2], largest, largestSize)
}

func TestFunctionSizes(t *testing.T) {
	s := load(t)
	functions, long := 0, 0
	for _, f := range s.files {
		if f.test() {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			functions++
			size := s.fset.Position(fn.End()).Line - s.fset.Position(fn.Pos()).Line + 1
			switch {
			case size > maxFunction:
				t.Errorf("%s: %s has %d lines, more than %d", s.fset.Position(fn.Pos()), fn.Name.Name, size, maxFunction)
			case size > softFunction:
				long++
				t.Logf("%s: %s has %d lines", s.fset.Position(fn.Pos()), fn.Name.Name, size)
			}
		}
	}
	t.Logf("%d functions, %d over %d lines (%.1f %%)", functions, long, softFunction, 100*float64(long)/float64(functions))
}

func TestPackagesAreDocumented(t *testing.T) {
	for pkg, files := range load(t).packages() {
		want := "Package " + files[0].ast.Name.Name + " "
		if files[0].main() {
			want = "Command "
		}
		if !slices.ContainsFunc(files, func(f file) bool { return strings.HasPrefix(f.ast.Doc.Text(), want) }) {
			t.Errorf("%s has no package comment that begins with %q", pkg, want)
		}
	}
}

// TestExportedIsDocumented looks at types, functions, constants and variables; a group may share one comment. Methods
// are not asked: many say all with the interface they are for.
func TestExportedIsDocumented(t *testing.T) {
	s := load(t)
	for _, f := range s.files {
		if f.test() || f.main() {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment", s.fset.Position(name.Pos()), name.Name)
			}
		}
	}
}

func undocumented(d ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Doc == nil {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					names = append(names, spec.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && spec.Doc == nil && spec.Comment == nil {
					names = append(names, spec.Names...)
				}
			}
		}
	}
	return slices.DeleteFunc(names, func(n *ast.Ident) bool { return !n.IsExported() })
}

// TestNoHiddenStart refuses init functions: what a package does happens when somebody calls it.
func TestNoHiddenStart(t *testing.T) {
	s := load(t)
	for _, f := range s.files {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: an init function", s.fset.Position(fn.Pos()))
			}
		}
	}
}
