package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root, root where it is from here.
const (
	module = "github.com/bootwright/bootwright"
	root   = "../.."
)

// file is a parsed Go file; path is relative to the root and slash-separated.
type file struct {
	path  string
	ast   *ast.File
	lines int
}

func (f file) pkg() string  { return path.Dir(f.path) }
func (f file) test() bool   { return strings.HasSuffix(f.path, "_test.go") }
func (f file) main() bool   { return f.ast.Name.Name == "main" }
func (f file) helper() bool { return isTestHelper(f.pkg()) }

func (f file) imports() []string {
	var out []string
	for _, spec := range f.ast.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		out = append(out, p)
	}
	return out
}

// selectors are the x.Sel expressions whose x is a name, as "x.Sel".
func (f file) selectors() map[string]token.Pos {
	out := map[string]token.Pos{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				out[x.Name+"."+s.Sel.Name] = s.Pos()
			}
		}
		return true
	})
	return out
}

// source is every Go file of the module, parsed once.
type source struct {
	fset  *token.FileSet
	files []file
}

// packages are the files of each package that are not tests.
func (s source) packages() map[string][]file {
	out := map[string][]file{}
	for _, f := range s.files {
		if !f.test() {
			out[f.pkg()] = append(out[f.pkg()], f)
		}
	}
	return out
}

func load(t *testing.T) source {
	t.Helper()
	s := source{fset: token.NewFileSet()}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		name := d.Name()
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != root && (name == "testdata" || strings.ContainsAny(name[:1], "._")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(s.fset, filepath.ToSlash(rel), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.files = append(s.files, file{filepath.ToSlash(rel), parsed, strings.Count(string(text), "\n")})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.files) == 0 {
		t.Fatal("found no Go files")
	}
	return s
}

// under reports whether package p is prefix or below it.
func under(p, prefix string) bool { return p == prefix || strings.HasPrefix(p, prefix+"/") }

// underAny reports whether p is, or is below, one of prefixes.
func underAny(p string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return under(p, prefix) })
}

// isTestHelper reports whether p exists for tests only: judges, conformance suites, fakes.
func isTestHelper(p string) bool {
	return strings.HasSuffix(p, "test") || path.Base(p) == "fake" || p == "internal/oracle"
}

// standard reports whether p is a package of Go's own library, whose first path element has no dot.
func standard(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	return !strings.Contains(first, ".")
}
