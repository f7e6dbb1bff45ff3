package patch

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// TestGuide holds every configuration and patch of the configuration guide against what the guide says. A file has
// base.yaml, patches and want.yaml, which each of the patches alone makes of the base; or fragment.yaml, which is a patch
// for a whole configuration and is itself what it makes of an empty one.
func TestGuide(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/guide/*.txtar")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := map[string]string{}
			for _, f := range archive.Files {
				parts[f.Name] = string(f.Data)
			}
			for name, text := range parts {
				switch name {
				case "base.yaml", "want.yaml":
				case "fragment.yaml":
					guideFragment(t, text)
				case "placeholder.yaml":
					mustLoad(t, text)
					_, findings := config.Check("x", []byte(text), check.Options{})
					if len(findings) != 1 || findings[0].Path != "certificates" {
						t.Errorf("%v", findings)
					}
				default:
					got := mustApply(t, mustLoad(t, parts["base.yaml"]), text)
					same(t, name, got, mustLoad(t, parts["want.yaml"]))
				}
			}
		})
	}
}

// guideFragment patches an empty configuration and a whole one, which then is valid.
func guideFragment(t *testing.T, text string) {
	t.Helper()
	same(t, "fragment", mustApply(t, mustLoad(t, "version: v1alpha1\n"), text), mustApply(t, mustLoad(t, text), "version: v1alpha1\n"))
	whole := mustApply(t, mustLoad(t, new(v1alpha1.Config).Example()), text)
	if _, findings := config.Check("x", whole.Bytes(), check.Options{}); findings.Err() != nil {
		t.Errorf("%v", findings)
	}
}

func mustLoad(t testing.TB, text string) *config.Config {
	t.Helper()
	c, err := config.Load("x", []byte(text))
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

func mustApply(t testing.TB, c *config.Config, text string) *config.Config {
	t.Helper()
	p, err := Load("patch", []byte(text))
	if err == nil {
		c, err = Apply(c, p)
	}
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return c
}

// same compares what documents say, whatever their order.
func same(t testing.TB, name string, got, want *config.Config) {
	t.Helper()
	if len(got.Documents()) != len(want.Documents()) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got.Bytes(), want.Bytes())
		return
	}
	for _, d := range want.Documents() {
		if g := got.Get(d.ID); g == nil || !config.Equal(g.Node(), d.Node()) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got.Bytes(), want.Bytes())
		}
	}
}
