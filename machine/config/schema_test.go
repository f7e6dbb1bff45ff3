package config_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"regexp"
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

// TestSchemaDescribes: every field of every kind says what it means, and examples are what their fields take.
func TestSchemaDescribes(t *testing.T) {
	t.Parallel()
	var schema struct {
		Defs map[string]struct {
			Description string
			Properties  map[string]any
		} `json:"$defs"`
	}
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	fields, examples := 0, 0
	for name, def := range schema.Defs {
		for field, value := range def.Properties {
			of, isField := value.(map[string]any)
			if !isField || strings.HasPrefix(name, "kinds.") && (field == "kind" || field == "apiVersion") {
				continue
			}
			fields++
			text, _ := of["description"].(string)
			if !strings.HasSuffix(text, ".") || strings.ToUpper(text[:1]) != text[:1] && text[:4] != "etcd" && text[:4] != "kube" {
				t.Errorf("%s.%s is explained by %q", name, field, text)
			}
			pattern, _ := of["pattern"].(string)
			list, _ := of["examples"].([]any)
			for _, example := range list {
				examples++
				if !regexp.MustCompile(pattern).MatchString(example.(string)) {
					t.Errorf("%s.%s: %q is no example for %s", name, field, example, pattern)
				}
			}
		}
	}
	for _, k := range config.Kinds() {
		if k.Doc == "" {
			t.Errorf("%s is for nothing", k.Name)
		}
	}
	if fields < 350 || examples < 40 {
		t.Errorf("%d fields and %d examples", fields, examples)
	}
}

// TestSchemaSaysLittle: what is wrong with a document is said of its kind alone.
func TestSchemaSaysLittle(t *testing.T) {
	t.Parallel()
	schema := compile(t)
	for text, want := range map[string]string{
		"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: a\nurl: http://a\n": "at '/url': 'http://a' does not match",
		"apiVersion: v1alpha1\nkind: KmsgLogConfg\nname: a\n":                 "at '/kind': value must be one of",
		"version: v1alpha1\nmachine: {typ: worker}\n":                         "additional properties 'typ' not allowed",
	} {
		var v any
		if err := yaml.Load([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		err := schema.Validate(v)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), "\n") > 9 {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// explained reports whether one of the findings is of those that the schema can see too.
func explained(fs report.Findings) bool {
	for _, f := range fs {
		if f.Severity == report.Fault && (strings.Contains(f.Message, "required") || strings.Contains(f.Message, "unknown value") ||
			strings.Contains(f.Message, "range") || strings.Contains(f.Message, "is not ") || strings.Contains(f.Message, "has the scheme") || strings.Contains(f.Message, "slots")) {
			return true
		}
	}
	return false
}
