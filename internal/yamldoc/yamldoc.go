// Package yamldoc decodes YAML 1.2 documents strictly into Go structs and says everything that is wrong with it at
// once, each finding with its line, its column and what to do. JSON documents are YAML documents.
//
// Left out on purpose: merge keys (<<), tags of one's own and keys that are not text. Aliases
// work; what they expand to is bounded.
package yamldoc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
)

// Options bounds what a document may cost. The zero value works.
type Options struct {
	MaxBytes int // of the text; 0 means 4 MiB
	MaxNodes int // keys, values, lists and mappings, aliases expanded; 0 means 100,000

	// Loose reads scalars as YAML 1.1 readers do where a field has a type: any scalar is text for a text field, and yes, no,
	// on and off are booleans for a boolean field.
	Loose bool
}

func (o Options) withDefaults() Options {
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	if o.MaxNodes == 0 {
		o.MaxNodes = defaultMaxNodes
	}
	return o
}

const (
	defaultMaxBytes = 4 << 20
	defaultMaxNodes = 100_000
	maxDepth        = 100 // of lists and mappings in each other
)

// Doc is a document that is well formed. It knows where everything is. The zero value is an empty one, without a name.
type Doc struct {
	name  string
	lines []string // without line breaks; empty for a document without text
	root  *yaml.Node
	opts  Options
}

// Decode parses data with default Options and decodes it into v; see Doc.Decode.
func Decode(name string, data []byte, v any) error {
	d, err := Parse(name, data, Options{})
	if err != nil {
		return err
	}
	return d.Decode(v)
}

// Parse reads the one document in data; name is what messages call it. The error is an Invalid one that holds
// report.Findings.
func Parse(name string, data []byte, o Options) (*Doc, error) {
	d, data, err := read(name, data, o)
	if err != nil {
		return nil, err
	}
	if err := d.load(data); err != nil {
		return nil, err
	}
	if _, err := d.expanded(d.root, 0, map[*yaml.Node]int{}); err != nil {
		return nil, err
	}
	return d, nil
}

// read checks data before the parser sees it, and gives it back without a byte order mark. The Doc has no root yet.
func read(name string, data []byte, o Options) (*Doc, []byte, error) {
	d := &Doc{name: name, opts: o.withDefaults()}
	if most := d.opts.MaxBytes; len(data) > most {
		return nil, nil, d.fail(0, 0, "", "%d bytes are more than the %d that such a document may have", len(data), most)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d.lines = strings.Split(newlines().Replace(string(data)), "\n")
	if err := d.checkText(data); err != nil {
		return nil, nil, err
	}
	// The parser takes up to a kilobyte a node, so the bound comes before it.
	if n := nodesAtMost(data); n > d.opts.MaxNodes {
		return nil, nil, d.fail(0, 0, "", "about %d keys and values are more than the %d that such a document may have", n, d.opts.MaxNodes)
	}
	return d, data, nil
}

// newlines turns every line break of YAML 1.1, which the parser counts as lines, into a newline.
func newlines() *strings.Replacer {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
}

// checkText refuses what is not text at all, with its place: the parser knows none for these.
func (d *Doc) checkText(data []byte) error {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return d.fail(0, 0, "save it as UTF-8", "the text is encoded as UTF-16")
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		bad := ""
		switch {
		case r == 0:
			bad = "a NUL byte: this is a binary file, not a YAML text"
		case r == utf8.RuneError && size == 1:
			bad = "a byte that is not UTF-8"
		case !printable(r):
			bad = "a control character: this may be a binary file, not a YAML text"
		}
		if bad != "" {
			before := newlines().Replace(string(data[:i]))
			line := before[strings.LastIndexByte(before, '\n')+1:]
			f := d.finding(strings.Count(before, "\n")+1, utf8.RuneCountInString(line)+1, "found "+bad)
			f.Source = "" // would garble a terminal
			return report.Findings{f}.Err()
		}
		i += size
	}
	return nil
}

// printable is c-printable of YAML 1.2. The parser takes more, but terminals act on C1 control characters.
func printable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85:
		return true
	case r < 0x20, r >= 0x7F && r < 0xA0:
		return false
	}
	return r != 0xFFFE && r != 0xFFFF
}

// nodesAtMost is an upper bound of the nodes in data from its punctuation alone: every node follows one of these.
func nodesAtMost(data []byte) int {
	n := 2
	for i, c := range data {
		switch c {
		case ',', ':', '[', '{', '?':
			n += 2
		case '-':
			if i+1 == len(data) || data[i+1] <= ' ' || data[i+1] >= utf8.RuneSelf {
				n += 2
			}
		}
	}
	return n
}

// load parses data, which must hold exactly one document.
func (d *Doc) load(data []byte) error {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	var first, second yaml.Node
	if err := loader.Load(&first); err != nil && err != io.EOF {
		return d.syntaxError(err)
	}
	if len(first.Content) == 0 || isNull(first.Content[0]) {
		return d.fail(0, 0, "", "the document is empty")
	}
	d.root = first.Content[0]
	switch err := loader.Load(&second); {
	case err == io.EOF:
		return nil
	case err != nil:
		return d.syntaxError(err)
	case len(second.Content) > 0:
		n := second.Content[0]
		return d.fail(n.Line, n.Column, "put it into a file of its own", "a second document begins here, only one is wanted")
	}
	return d.fail(second.Line, second.Column, "remove the `---`", "a second document begins here, only one is wanted")
}

// syntaxError puts the parser's words in their place and the common mistakes in better ones.
func (d *Doc) syntaxError(err error) error {
	bad, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return d.fail(0, 0, "", "%s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	at, message, hint := bad.Mark, bad.Message, ""
	line := d.line(at.Line)
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	switch {
	case strings.Contains(indent, "\t") && (strings.Contains(message, "any token") || strings.Contains(message, "tab")):
		at.Column = strings.IndexByte(indent, '\t') + 1
		message, hint = "a tab in the indentation", "indent with spaces"
	case strings.Contains(message, "unexpected end of stream") && bad.ContextMark.Line > 0:
		at, message = bad.ContextMark, "this quoted text does not end"
	case strings.Contains(message, "cannot start any token"):
		message, hint = "a value cannot begin with this character", "put the value in quotes"
	case strings.Contains(message, "mapping values are not allowed"):
		message, hint = "a `: ` where no field can be", "put a value that holds `: ` in quotes, or look at the indentation"
	case strings.Contains(message, "<document start>"), strings.Contains(message, "expected '-' indicator"),
		strings.Contains(message, "did not find expected key"):
		message, hint = "this line fits none of the lines above it", "look at the indentation"
	}
	if at.Line >= len(d.lines) && d.line(at.Line) == "" { // behind the last break: show what stands before it
		at.Line = len(d.lines)
		for at.Line > 1 && d.line(at.Line) == "" {
			at.Line--
		}
		at.Column = utf8.RuneCountInString(d.line(at.Line)) + 1
	}
	return d.fail(at.Line, at.Column, hint, "%s", message)
}

// expanded counts n and all below it with aliases expanded, but never beyond MaxNodes.
func (d *Doc) expanded(n *yaml.Node, depth int, done map[*yaml.Node]int) (int, error) {
	const underWay = -1
	if n.Kind == yaml.AliasNode {
		if done[n.Alias] == underWay {
			return 0, d.fail(n.Line, n.Column, "", "alias *%s contains itself", n.Value)
		}
		n = n.Alias
	}
	if total, ok := done[n]; ok {
		return total, nil
	}
	if depth > maxDepth {
		return 0, d.fail(n.Line, n.Column, "", "lists and mappings in each other more than %d levels deep", maxDepth)
	}
	done[n] = underWay
	total := 1
	for _, child := range n.Content {
		m, err := d.expanded(child, depth+1, done)
		if err != nil {
			return 0, err
		}
		if total += m; total > d.opts.MaxNodes {
			return 0, d.fail(child.Line, child.Column, "", "aliases expand to more than %d keys and values", d.opts.MaxNodes)
		}
	}
	done[n] = total
	return total, nil
}

// Value is a document without text that holds value at path, a dotted name such as output.kind: a setting from a command
// line. A value that begins with [ or { is YAML; any other is taken for whatever the field wants, a list of one included.
func Value(name, path, value string) (*Doc, error) {
	d := &Doc{name: name}
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: anyTag, Value: value}
	if strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{") {
		inner, err := Parse(name, []byte(value), Options{})
		if err != nil {
			return nil, err
		}
		node = inner.root
		d.lines = inner.lines
	}
	names := strings.Split(path, ".")
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] == "" {
			return nil, d.fail(0, 0, "name a field, such as output.kind", "%q is not the path of a field", path)
		}
		key := &yaml.Node{Kind: yaml.ScalarNode, Tag: strTag, Value: names[i]}
		node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{key, node}}
	}
	d.root = node
	return d, nil
}
