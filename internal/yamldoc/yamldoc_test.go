package yamldoc

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
)

type color string

func (c *color) UnmarshalText(p []byte) error {
	if s := string(p); s != "red" && s != "blue" {
		return report.WithHint(fmt.Errorf("unknown color %q", s), "colors: red, blue")
	}
	*c = color(p)
	return nil
}

type common struct {
	Name string `yaml:"name"`
}

type thing struct {
	common `yaml:",inline"`
	Count  int               `yaml:"count,omitempty"`
	Key    uint8             `yaml:"key"`
	Ratio  float64           `yaml:"ratio"`
	On     bool              `yaml:"enabled"`
	Color  color             `yaml:"color"`
	Time   *int64            `yaml:"time"`
	Tags   []string          `yaml:"tags"`
	Labels map[string]string `yaml:"labels"`
	Inner  inner             `yaml:"inner"`
	Parts  []part            `yaml:"parts"`
	Hidden string            `yaml:"-"`
}

type inner struct {
	Kind string `yaml:"kind"`
	Deep struct {
		Label string `yaml:"label"`
	} `yaml:"deep"`
}

type part struct {
	Path string `yaml:"path"`
}

const good = `# all of it
name: &n "böot"
count: 0x1F
key: +200
ratio: 2
enabled: true
color: blue
time: 0
tags: [a, *n]
labels:
  net.core/x: "1"
  b: c
inner:
  kind: |
    two
    lines
  deep: {label: L}
parts:
- path: /a
- path: /b
`

func TestDecode(t *testing.T) {
	t.Parallel()
	var got thing
	if err := Decode("x.yaml", []byte(good), &got); err != nil {
		t.Fatal(err)
	}
	want := thing{
		common: common{"böot"}, Count: 31, Key: 200, Ratio: 2, On: true, Color: "blue", Time: new(int64),
		Tags: []string{"a", "böot"}, Labels: map[string]string{"net.core/x": "1", "b": "c"},
		Inner: inner{Kind: "two\nlines\n"}, Parts: []part{{"/a"}, {"/b"}},
	}
	want.Inner.Deep.Label = "L"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	var empty thing
	if err := Decode("x.json", []byte("{\n\t\"name\": null, \"tags\": ~,\n\t\"inner\": null}"), &empty); err != nil || !reflect.DeepEqual(empty, thing{}) {
		t.Errorf("null: %+v, %v", empty, err)
	}
}

// TestFindings has documents and what is said about them: "line:column path: message (hint)", a line each.
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ doc, want string }{
		{"nmae: x\nparts:\n- pahts: y\n", "1:1 nmae: unknown field (did you mean \"name\"?)\n" +
			"3:3 parts[0].pahts: unknown field (fields: path)"},
		{"label: x\n", "1:1 label: unknown field (did you mean inner.deep.label?)"},
		{"inner:\n  parts: []\n", "2:3 inner.parts: unknown field (did you mean parts?)"},
		{"inner: {zzzzzz: 1}\n", "1:9 inner.zzzzzz: unknown field (fields: kind, deep)"},
		{"common: {}\nHidden: x\n\"-\": x\n", "1:1 common: unknown field (fields: name, count, key, ratio, enabled, color, time, tags, labels, inner, parts)\n" +
			"2:1 Hidden: unknown field (fields: name, count, key, ratio, enabled, color, time, tags, labels, inner, parts)\n" +
			"3:1 -: unknown field (fields: name, count, key, ratio, enabled, color, time, tags, labels, inner, parts)"},
		{"name: 1.10\ntags: a\ncount: \"5\"\n", "1:7 name: found the number 1.10, want text (put it in quotes: \"1.10\")\n" +
			"2:7 tags: found the text \"a\", want a list (write [a])\n" +
			"3:8 count: found the text \"5\", want a whole number of up to 64 bits (remove the quotes)"},
		{"name: [x]\ninner: x\nlabels: []\nenabled: yes\n", "1:7 name: found a list, want text\n" +
			"2:8 inner: found the text \"x\", want a mapping (fields: kind, deep)\n" +
			"3:9 labels: found a list, want a mapping\n" +
			"4:10 enabled: found the text \"yes\", want true or false (write true)"},
		{"key: 256\ncount: 99999999999999999999\nratio: x\nenabled: 1\n", "1:6 key: found the number 256, want a whole number from 0 to 255\n" +
			"2:8 count: found the number 99999999999999999999, want a whole number of up to 64 bits\n" +
			"3:8 ratio: found the text \"x\", want a number\n" +
			"4:10 enabled: found the number 1, want true or false"},
		{"color: green\n", "1:8 color: unknown color \"green\" (colors: red, blue)"},
		{"color: {}\n", "1:8 color: found a mapping, want text"},
		{"name: a\nname: b\ninner:\n  kind: a\n  kind: b\n", "2:1 name: given twice, first on line 1\n5:3 inner.kind: given twice, first on line 4"},
		{"labels:\n  a.b: []\n", "2:8 labels[\"a.b\"]: found a list, want text"},
		{"tags: [a, ~, 3]\n", "1:11 tags[1]: the item is empty\n1:14 tags[2]: found the number 3, want text (put it in quotes: \"3\")"},
		{"inner: &i {kind: a}\n<<: *i\n? [x]\n: y\n3: z\n", "2:1 : merge keys (<<) are not supported (write the fields out)\n" +
			"3:3 : found a list for a key, want text\n5:1 : found the number 3 for a key, want text"},
		{"name: !!binary AA==\ncount: !mine 3\nkey: !!int \"7\"\n", "1:7 name: tag !!binary is not supported\n2:8 count: tag !mine is not supported"},
		{"- a\n", "1:1 : found a list, want a mapping (fields: name, count, key, ratio, enabled, color, time, tags, labels, inner, parts)"},
		// What is no document, or not just one.
		{"", "0:0 : the document is empty"},
		{"# nothing\n---\n", "0:0 : the document is empty"},
		{"null", "0:0 : the document is empty"},
		{"name: a\n---\nname: b\n", "3:1 : a second document begins here, only one is wanted (put it into a file of its own)"},
		{"name: a\n---\nname: [\n", "3:8 : did not find expected node content"},
		{"inner:\n\tkind: a\n", "2:1 : a tab in the indentation (indent with spaces)"},
		{"inner:\n  kind: a\n  \tdeep: b\n", "3:3 : a tab in the indentation (indent with spaces)"},
		{"name: a: b\n", "1:8 : a `: ` where no field can be (put a value that holds `: ` in quotes, or look at the indentation)"},
		{"name: @a\n", "1:7 : a value cannot begin with this character (put the value in quotes)"},
		{"name: 'a\ncount: 1\n", "1:7 : this quoted text does not end"},
		{"  name: a\n count: 1\n", "2:2 : this line fits none of the lines above it (look at the indentation)"},
		{"inner:\n  kind: a\n count: 1\n", "3:2 : this line fits none of the lines above it (look at the indentation)"},
		{"name: *x\n", "1:7 : unknown anchor 'x' referenced"},
		{"tags: &x [*x]\n", "1:11 : alias *x contains itself"},
		{"name: a\x00b\n", "1:8 : found a NUL byte: this is a binary file, not a YAML text"},
		{"é\r\nnäme: \xff\n", "2:7 : found a byte that is not UTF-8"},
		{"name: \x1b[31m\n", "1:7 : found a control character: this may be a binary file, not a YAML text"},
		{"name: \u009b31m\n", "1:7 : found a control character: this may be a binary file, not a YAML text"},
		{"\xff\xfen\x00", "0:0 : the text is encoded as UTF-16 (save it as UTF-8)"},
		{"\ufeffnaem: x\n", "1:1 naem: unknown field (did you mean \"name\"?)"},
		{"inner: " + strings.Repeat("[", 101) + strings.Repeat("]", 101), "1:108 : lists and mappings in each other more than 100 levels deep"},
	} {
		var v thing
		if got := said(Decode("x.yaml", []byte(c.doc), &v)); got != c.want {
			t.Errorf("%q:\n%s\nwant:\n%s", c.doc, got, c.want)
		}
	}
}

// said puts the findings of an error into short lines.
func said(err error) string {
	var lines []string
	fs, _ := errors.AsType[report.Findings](err)
	for _, f := range fs {
		line := fmt.Sprintf("%d:%d %s: %s", f.Line, f.Column, f.Path, f.Message)
		if f.Hint != "" {
			line += " (" + f.Hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestErrorShowsTheLine(t *testing.T) {
	t.Parallel()
	var v thing
	err := Decode("dir/x.yaml", []byte("name: ü\ninner: {deep: {lable: é}}\n"), &v)
	want := "dir/x.yaml:2:16: inner.deep.lable: unknown field\n" +
		"  inner: {deep: {lable: é}}\n" +
		"                 ^\n" +
		"  hint: did you mean \"label\"?"
	if err == nil || err.Error() != want || report.KindOf(err) != report.Invalid {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	unknown := ""
	for i := range 60 {
		unknown += fmt.Sprintf("u%d: 1\n", i)
	}
	for name, c := range map[string]struct{ doc, want string }{
		"long":      {strings.Repeat("#", 5<<20), "5242880 bytes are more than the 4194304"},
		"many":      {"tags: [" + strings.Repeat("a,", 100_000) + "]", "about 200006 keys and values are more than the 100000"},
		"bomb":      {bomb, "aliases expand to more than 100000 keys and values"},
		"findings":  {unknown, "x.yaml: and 10 more"},
		"long key":  {"name: x\n? " + strings.Repeat("k", 1<<20) + "\n: x\n", "kkk...: unknown field"},
		"long text": {"color: " + strings.Repeat("k", 1<<20), "unknown color \"kkk"},
		"long line": {"tags: {} #" + strings.Repeat("k", 1<<20), "x.yaml:1:7: tags: found a mapping, want a list"},
	} {
		var v thing
		err := Decode("x.yaml", []byte(c.doc), &v)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 20_000 {
			t.Errorf("%s: got %.300v, want %s", name, err, c.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	d, err := Parse("x.yaml", []byte(good), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"name":                   "2:7 true", // a value
		"inner":                  "13:1 true",
		"inner.deep":             "17:3 true",
		"inner.deep.label":       "17:17 true",
		"tags[1]":                "9:11 true",
		`labels["net.core/x"]`:   "11:15 true",
		"parts[1].path":          "20:9 true",
		"parts[1].size":          "20:3 false", // what would hold it
		"inner.deep.label.never": "17:17 false",
		"inn":                    "0:0 false",
		"parts[7]":               "18:1 false",
		"":                       "0:0 true",
	} {
		f := d.Finding(path, "m", "h")
		if (&Doc{}).Has(path) != (path == "") {
			t.Errorf("an empty document has %q", path)
		}
		if got := fmt.Sprintf("%d:%d %v", f.Line, f.Column, d.Has(path)); got != want || f.Path != path || f.File != "x.yaml" {
			t.Errorf("%q: at %s, want %s; %+v", path, got, want, f)
		}
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ path, value, want string }{
		{"inner.deep.label", "1.10", ""},
		{"count", "12", ""},
		{"key", "0xff", ""},
		{"enabled", "true", ""},
		{"name", "", ""},
		{"tags", "[a, b]", ""},
		{"inner", "{kind: a}", ""},
		{"inner.knid", "x", `--set: inner.knid: unknown field` + "\n  hint: did you mean \"kind\"?"},
		{"count", "x", `--set: count: found the text "x", want a whole number of up to 64 bits`},
		{"tags", "-x", ""},
		{"labels", "x", `--set: labels: found the text "x", want a mapping`},
		{"tags", "[a, 3]", "--set:1:5: tags[1]: found the number 3, want text\n  [a, 3]\n      ^\n  hint: put it in quotes: \"3\""},
		{"tags", "[a", "--set:1:3: did not find expected ',' or ']'\n  [a\n    ^"},
		{"a..b", "x", "--set: \"a..b\" is not the path of a field\n  hint: name a field, such as output.kind"},
	} {
		var v thing
		d, err := Value("--set", c.path, c.value)
		if err == nil {
			err = d.Decode(&v)
		}
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s=%s: got\n%s\nwant\n%s", c.path, c.value, got, c.want)
		}
		if c.want == "" && c.value != "" && reflect.DeepEqual(v, thing{}) {
			t.Errorf("%s=%s set nothing", c.path, c.value)
		}
	}
}

// FuzzDecode: any bytes give a value or an Invalid error with findings whose places exist, and never much memory.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(good))
	for _, s := range []string{"{a: &x [*x]}", "? [a]\n: b", "- - -", "a: !!int x", "%YAML 1.1\n---\na", "a\n...\nb", "\u2028a:\n\tb", "{a, b: }", "a: |\n\ta", "\x85"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v thing
		err := Decode("f", data, &v)
		if err == nil {
			return
		}
		fs, ok := errors.AsType[report.Findings](err)
		if !ok || report.KindOf(err) != report.Invalid {
			t.Fatalf("%T: %v", err, err)
		}
		lines := strings.Split(newlines().Replace(strings.TrimPrefix(string(data), "\ufeff")), "\n")
		for _, f := range fs {
			if f.Message == "" || f.Line < 0 || f.Line > len(lines)+1 || f.Line > 0 && f.Column < 1 {
				t.Fatalf("%+v", f)
			}
		}
	})
}

// FuzzNodes holds the estimate that keeps memory bounded against what the parser makes of the same bytes.
func FuzzNodes(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("[,[]{}a,?b:c]"))
	f.Add([]byte("? a\n? b\n- -\n  -"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse("f", data, Options{})
		if err != nil {
			return
		}
		if n := nodes(d.root); n > nodesAtMost(data) {
			t.Fatalf("%d nodes, estimated at most %d", n, nodesAtMost(data))
		}
	})
}

// nodes counts n and what is below it, aliases not expanded.
func nodes(n *yaml.Node) int {
	total := 1
	for _, child := range n.Content {
		total += nodes(child)
	}
	return total
}
