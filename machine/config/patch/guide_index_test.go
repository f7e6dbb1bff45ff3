package patch

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"go.yaml.in/yaml/v4"
)

// block is text of the guide that looks like YAML or JSON.
type block struct {
	line int
	text string
}

// blocks are those of a text without fences: they begin with a field or a bracket at the margin and end at an empty line that
// nothing indented follows. A list of operations is a block of its own, and so is a JSON patch in a command line.
func blocks(text string) []block {
	begins := regexp.MustCompile(`^([A-Za-z_-]+:( .*)?|- op: .*|\{|---)$`)
	prose := regexp.MustCompile(`^([A-Za-z_-]+:$|Note: |Example)`)
	lines := strings.Split(regexp.MustCompile(` +\n`).ReplaceAllString(text, "\n"), "\n") // what the page left behind lines
	inside := func(i int) bool {
		for ; i < len(lines); i++ {
			if strings.TrimSpace(lines[i]) != "" {
				return strings.HasPrefix(lines[i], "  ") && !strings.HasPrefix(lines[i], "  •") || lines[i] == "---"
			}
		}
		return false
	}
	var out []block
	inline := regexp.MustCompile(`'(\[\{.*\}\])'`)
	for i := 0; i < len(lines); i++ {
		if m := inline.FindStringSubmatch(lines[i]); m != nil {
			out = append(out, block{i + 1, m[1] + "\n"})
			continue
		}
		if !begins.MatchString(lines[i]) || prose.MatchString(lines[i]) && !inside(i+1) || strings.HasPrefix(lines[i], "Note: ") {
			continue
		}
		begin := i
		for i++; i < len(lines) && (strings.TrimSpace(lines[i]) != "" || inside(i)); i++ {
			operation := strings.HasPrefix(lines[i], "- op:") && !strings.HasPrefix(lines[begin], "- op:")
			if operation || strings.HasPrefix(lines[i], "talosctl ") {
				break
			}
		}
		out = append(out, block{begin + 1, strings.Join(lines[begin:i], "\n") + "\n"})
		i--
	}
	return out
}

// TestGuideIndex holds testdata/guide/index against the guide: a row for every block that it has. A row is
//
//	LINE FILE PART     the block is this part of testdata/guide/FILE.txtar, which TestGuide tests
//	LINE FILE PART ~   likewise, with what the guide leaves out as dots filled in
//	LINE - WHY         the block is no configuration
func TestGuideIndex(t *testing.T) {
	t.Parallel()
	index, err := os.ReadFile("testdata/guide/index")
	if err != nil {
		t.Fatal(err)
	}
	rows, tested := map[int][]string{}, map[string]bool{}
	for line := range strings.Lines(string(index)) {
		words := strings.Fields(line)
		n, err := strconv.Atoi(words[0])
		if err != nil || len(words) < 3 || rows[n] != nil {
			t.Fatalf("row %q", line)
		}
		rows[n] = words[1:]
		tested[words[1]] = true
	}
	files, err := filepath.Glob("testdata/guide/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".txtar"); !tested[name] && !strings.Contains(name, "-line-") {
			t.Errorf("%s is no block of the guide", name)
		}
	}
	guide, err := os.ReadFile("../../../../shared/spec/configuration-guide.txt")
	if err != nil {
		t.Skip("SKIPPED, NOT PASSED: the configuration guide is not beside the repository")
	}
	found := blocks(string(guide))
	for _, b := range found {
		row := rows[b.line]
		if row == nil {
			t.Errorf("line %d is in no row:\n%s", b.line, b.text)
		} else if row[0] != "-" {
			sameBlock(t, b, row)
		}
	}
	for n, row := range rows {
		if !slices.ContainsFunc(found, func(b block) bool { return b.line == n }) {
			t.Errorf("%d %q is no block", n, row)
		}
	}
	t.Logf("%d blocks, %d of them configurations", len(found), len(found)-strings.Count(string(index), " - "))
}

// sameBlock compares a block with the part of the file that its row names.
func sameBlock(t *testing.T, b block, row []string) {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/guide/" + row[0] + ".txtar")
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == row[1] })
	if i < 0 {
		t.Fatalf("line %d: %s has no %s", b.line, row[0], row[1])
	}
	if len(row) > 2 {
		return
	}
	var got, want []any
	if err := yaml.Load(archive.Files[i].Data, &got, yaml.WithAllDocuments()); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Load([]byte(b.text), &want, yaml.WithAllDocuments()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("line %d: %v: the guide has\n%s\nand %s\n%s", b.line, err, b.text, row[0], archive.Files[i].Data)
	}
}
