package patch

import (
	"os"
	"regexp"
	"testing"
)

// TestDocs: every example of docs/configuration.md is a patch that can be applied, one after the other.
func TestDocs(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(examples) < 5 {
		t.Fatalf("%d examples", len(examples))
	}
	c := mustLoad(t, "machine: {time: {servers: [a]}, sysctls: {a.b: c}}\n")
	for _, example := range examples {
		c = mustApply(t, c, string(example[1]))
	}
}
