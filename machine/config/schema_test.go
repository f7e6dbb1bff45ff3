package config_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/configtest"
)

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSchemaAgrees gives a thousand random documents and more, half of them with values of wrong types, to the schema and
// to the validator: what the validator takes the schema takes, and what the schema takes loads.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	var loads, takes, valid int
	agree := func(text []byte) {
		t.Helper()
		_, loadErr := config.Load("x", text)
		_, findings := config.Check("x", text, check.Options{Mode: check.Cloud})
		var v any
		if err := yaml.Load(text, &v); err != nil {
			t.Fatal(err)
		}
		err := schema.Validate(v)
		if loadErr == nil {
			loads++
		}
		if err == nil {
			takes++
		}
		if findings.Err() == nil {
			valid++
		}
		switch {
		case err == nil && loadErr != nil:
			t.Fatalf("%s\nthe schema takes it: %v", text, loadErr)
		case err != nil && findings.Err() == nil:
			t.Fatalf("%s\nthe validator takes it: %v", text, err)
		case err != nil && loadErr == nil && !explained(findings):
			t.Fatalf("%s\nthe schema refuses what only the meaning is wrong of: %v\n%v", text, err, findings)
		}
	}
	for seed := range uint64(1000) {
		c := configtest.Config(rand.New(rand.NewPCG(seed, 5)), int(seed%2)*60)
		for _, text := range strings.Split(string(c), "---\n") {
			agree([]byte(text))
		}
	}
	for _, k := range config.Kinds() {
		agree([]byte(k.New().Example()))
		agree([]byte(k.New().Example() + "unknown: 1\n"))
	}
	if loads < 500 || takes < 100 || valid < 50 {
		t.Errorf("%d load, the schema takes %d, %d are valid: too few to say anything", loads, takes, valid)
	}
	t.Logf("%d load, the schema takes %d, %d are valid", loads, takes, valid)
}

// explained reports whether one of the findings is of those that the schema can see too.
func explained(fs report.Findings) bool {
	for _, f := range fs {
		if f.Severity == report.Fault && (strings.Contains(f.Message, "required") || strings.Contains(f.Message, "unknown value") ||
			strings.Contains(f.Message, "range") || strings.Contains(f.Message, "is not a") || strings.Contains(f.Message, "slots")) {
			return true
		}
	}
	return false
}
