package arch

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Format code is a function of its arguments: the same input gives the same bytes on any machine, at any time. What it
// needs of time and identifiers comes in by Options.
var (
	impureImports = []string{"math/rand", "crypto/rand", "os/exec", "os/user", "net", "plugin", "C"}
	impureNames   = []string{"time.Now", "time.Since", "time.Until", "time.Local", "time.LoadLocation",
		"os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv", "os.Hostname", "os.Getwd", "os.Chdir"}
)

// pure are the packages held to it. Only filePackages among them know that there is an operating system.
var (
	pure         = []string{"formats", "machine/layout"}
	filePackages = []string{"formats/blob", "formats/tree"}
)

func TestFormatsArePure(t *testing.T) {
	s := load(t)
	for _, f := range s.files {
		if f.test() || f.helper() || !underAny(f.pkg(), pure) {
			continue
		}
		for _, p := range f.imports() {
			if underAny(p, impureImports) || p == "os" && !slices.Contains(filePackages, f.pkg()) {
				t.Errorf("%s imports %s: format code sees no clock, randomness, environment, network or file system", f.path, p)
			}
		}
		used := f.selectors()
		for _, name := range impureNames {
			if pos, ok := used[name]; ok {
				t.Errorf("%s uses %s: format code sees no clock and no environment", s.fset.Position(pos), name)
			}
		}
	}
}

// loud are names that end or print from a library; only a main package may.
var loud = []string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Print", "log.Printf", "log.Println", "fmt.Print", "fmt.Printf", "fmt.Println"}

func TestLibrariesAreQuiet(t *testing.T) {
	s := load(t)
	for _, f := range s.files {
		if f.test() || f.main() {
			continue
		}
		used := f.selectors()
		for _, name := range slices.Sorted(maps.Keys(used)) {
			if slices.Contains(loud, name) {
				t.Errorf("%s uses %s: a library returns errors and writes where it is told", s.fset.Position(used[name]), name)
			}
		}
	}
}

// unfinished marks work somebody meant to come back to.
var unfinished = []string{"TO" + "DO", "FIX" + "ME", "XXX"}

func TestNothingUnfinished(t *testing.T) {
	s := load(t)
	for _, f := range s.files {
		for _, group := range f.ast.Comments {
			for _, word := range unfinished {
				if strings.Contains(group.Text(), word) {
					t.Errorf("%s: a comment says %s; finish it or open an issue", s.fset.Position(group.Pos()), word)
				}
			}
		}
	}
}
