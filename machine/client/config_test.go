package client

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/pki"
)

const file = `context: prod
contexts:
    lab:
        endpoints:
            - 10.0.0.1
        auth:
            siderov1:
                identity: me@example.com
        cluster: lab
    prod:
        endpoints: []
        nodes:
            - 10.0.1.2
        ca: Y2E=
        crt: Y3J0
        key: a2V5
`

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	c, err := Load("talosconfig", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if string(c.Contexts["prod"].Key) != "key" || c.Contexts["lab"].Auth.SideroV1.Identity != "me@example.com" {
		t.Errorf("loaded %+v", c)
	}
	out, err := c.Marshal()
	if err != nil || string(out) != file {
		t.Errorf("%v: saved\n%s", err, out)
	}
}

func TestOldTarget(t *testing.T) {
	t.Parallel()
	c, err := Load("f", []byte("context: a\ncontexts: {a: {target: 10.0.0.9}, b: }\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c.Contexts["a"].Endpoints, []string{"10.0.0.9"}) || c.Contexts["a"].Target != "" || c.Contexts["b"] == nil {
		t.Errorf("loaded %+v", c.Contexts)
	}
}

// TestPlainParsers reads a generated file with YAML parsers that know nothing of it, one of them another program.
func TestPlainParsers(t *testing.T) {
	t.Parallel()
	ca, err := pki.NewAuthority(pki.Subject{Organization: []string{"talos"}}, pki.Ed25519, pki.Validity{From: time.Unix(0, 0), For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	text, err := New("yes", Context{Endpoints: []string{"fd00::1", "10.0.0.1"}, CA: ca.Crt, Crt: ca.Crt, Key: ca.Key}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	var plain map[string]any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "talosconfig")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out := oracle.Run(t, "yq", ".", path)
	var theirs map[string]any
	if err := yaml.Unmarshal([]byte(out), &theirs); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain, theirs) || theirs["context"] != "yes" {
		t.Errorf("yq reads %s\nof\n%s", out, text)
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	c, err := Load("f", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if name, got, err := c.Select(""); err != nil || name != "prod" || got != c.Contexts["prod"] {
		t.Errorf("the current context is %s, %v", name, err)
	}
	if _, _, err := c.Select("prdo"); report.KindOf(err) != report.NotFound || report.HintOf(err) != "did you mean prod?" {
		t.Errorf("an unknown context: %v", err)
	}
	if _, _, err := new(Config).Select(""); report.KindOf(err) != report.Invalid {
		t.Errorf("no context: %v", err)
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	context := func(endpoint string) Context { return Context{Endpoints: []string{endpoint}} }
	c := &Config{}
	for _, step := range []struct {
		other   *Config
		renames []Rename
		current string
		names   string
	}{
		{New("a", context("1")), nil, "a", "a"},
		{New("a", context("1")), nil, "a", "a"},
		{New("a", context("2")), []Rename{{"a", "a-1"}}, "a-1", "a a-1"},
		{New("a", context("3")), []Rename{{"a", "a-2"}}, "a-2", "a a-1 a-2"},
		{&Config{Contexts: New("b", context("4")).Contexts}, nil, "a-2", "a a-1 a-2 b"},
	} {
		renames := c.Merge(step.other)
		if !reflect.DeepEqual(renames, step.renames) || c.Context != step.current || strings.Join(c.Names(), " ") != step.names {
			t.Errorf("merged to %s of %s, renamed %v", c.Context, c.Names(), renames)
		}
	}
}

// TestRefused looks for keys in messages, too.
func TestRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"context: a\ncontexts: {a: {kye: a2V5}}\n":          "f:2:16: contexts.a.kye: unknown field\n  hint: did you mean \"key\"?",
		"context: a\ncontexts:\n  a:\n    key: \"a2V5!\"\n": "f:4:10: contexts.a.key: this is not base64",
		"contexts: {a: {endpoints: a2V5}}\n":                "f:1:27: contexts.a.endpoints: found something else, want a list",
		"contexts: [a2V5]\n":                                "f:1:11: contexts: found something else, want a mapping",
		"context: \"a2V5\n":                                 "f:1:10: this quoted text does not end",
		"":                                                  "f: the document is empty",
	} {
		_, err := Load("f", []byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("context: a\ncontexts: {a: {target: 10.0.0.9}, b: }\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Load("f", data)
		if err != nil {
			return
		}
		text, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Load("f", text)
		if err != nil {
			t.Fatalf("what was loaded and saved is refused: %v\n%s", err, text)
		}
		if second, err := again.Marshal(); err != nil || string(second) != string(text) {
			t.Errorf("%v: saved twice\n%s\nand\n%s", err, text, second)
		}
	})
}
