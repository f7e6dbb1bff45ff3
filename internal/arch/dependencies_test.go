package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDependenciesHaveReasons compares what the code imports, and go.mod, with docs/dependencies.md: a row of its
// tables is "| `module` | ... reason ... |". That go.mod has no more than the code imports is `go mod tidy`'s to say.
func TestDependenciesHaveReasons(t *testing.T) {
	doc := read(t, "docs/dependencies.md")
	rows := map[string]bool{} // by module
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|.*[a-z].*\\|$").FindAllStringSubmatch(doc, -1) {
		rows[m[1]] = true
	}
	modules := required(t)
	for _, f := range load(t).files {
		for _, p := range f.imports() {
			if m := moduleOf(p, modules); !standard(p) && !under(p, module) && !rows[m] {
				t.Errorf("%s imports %s; give module %q its reason in docs/dependencies.md", f.path, p, m)
			}
		}
	}
	for m := range rows {
		if !slices.Contains(modules, m) {
			t.Errorf("docs/dependencies.md has a reason for %s, which go.mod does not require", m)
		}
	}
}

// required are the modules of go.mod.
func required(t *testing.T) []string {
	var out []string
	for _, m := range regexp.MustCompile(`(?m)^(?:require )?\s*(\S+\.\S+) v\S+`).FindAllStringSubmatch(read(t, "go.mod"), -1) {
		out = append(out, m[1])
	}
	return out
}

// moduleOf is the longest of modules that holds package p, or p.
func moduleOf(p string, modules []string) string {
	best := ""
	for _, m := range modules {
		if under(p, m) && len(m) > len(best) {
			best = m
		}
	}
	if best == "" {
		return p
	}
	return best
}

func read(t *testing.T, p string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(p)))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
