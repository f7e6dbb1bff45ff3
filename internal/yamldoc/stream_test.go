package yamldoc

import (
	"fmt"
	"strings"
	"testing"
)

func TestStream(t *testing.T) {
	t.Parallel()
	docs, err := ParseStream("s", []byte("name: a\n---\n---\n# c\nname: b\nextra: 1\n--- {}\n"), Options{})
	if err != nil || len(docs) != 3 {
		t.Fatalf("%d documents, %v", len(docs), err)
	}
	var v thing
	if got := said(docs[1].Decode(&v)); !strings.HasPrefix(got, "6:1 extra: unknown field") || v.Name != "b" {
		t.Errorf("places of the second document: %s", got)
	}
	for text, want := range map[string]string{
		"a: 1\n---\nb: [\n":             "did not find expected node content",
		"a: 1\n---\nb: &x [*x]\n":       "alias *x contains itself",
		strings.Repeat("--- a\n", 1001): "more than 1000 documents",
	} {
		if _, err := ParseStream("s", []byte(text), Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %s", text, err, want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	d, err := Parse("x", []byte("a: &x [1, 2]\nb: *x\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := Expand(d.Node())
	if b := n.Content[3]; len(b.Content) != 2 || b.Anchor != "" || n.Content[1].Anchor != "" {
		t.Errorf("%+v", b)
	}
	if got := d.FromNode(n).Finding("b[1]", "m", ""); got.Line != 1 || got.File != "x" {
		t.Errorf("%+v", got)
	}
}

func TestLoose(t *testing.T) {
	t.Parallel()
	var v struct {
		Text string         `yaml:"text"`
		Bool bool           `yaml:"bool"`
		Any  map[string]any `yaml:"any"`
	}
	text := []byte("text: 1.10\nbool: yes\nany: {a: 1, b: -1.5, c: yes, d: [true, ~, 0xff], e: 18446744073709551615}\n")
	d, err := Parse("x", text, Options{Loose: true})
	if err == nil {
		err = d.Decode(&v)
	}
	if got := fmt.Sprint(v, err); got != "{1.10 true map[a:1 b:-1.5 c:yes d:[true <nil> 255] e:18446744073709551615]} <nil>" {
		t.Error(got)
	}
	if err := Decode("x", text, &v); err == nil {
		t.Error("what is not text is text")
	}
	if got := said(Decode("x", []byte("any: {a: {b: 1, b: 2}}\n"), &v)); got != "1:17 any.a.b: given twice, first on line 1" {
		t.Error(got)
	}
}
