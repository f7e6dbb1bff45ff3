package yamldoc

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
)

// sourceLimit is the longest line that a finding shows, in bytes.
const sourceLimit = 200

// finding is a fault at a place; line 0 is no place.
func (d *Doc) finding(line, column int, message string) report.Finding {
	f := report.Finding{Severity: report.Fault, File: d.name, Line: line, Column: column, Message: message}
	if source := d.line(line); len(source) <= sourceLimit {
		f.Source = source
	}
	return f
}

// fail is an error with a single finding.
func (d *Doc) fail(line, column int, hint, format string, args ...any) error {
	f := d.finding(line, column, fmt.Sprintf(format, args...))
	f.Hint = hint
	return report.Findings{f}.Err()
}

// line is the text of a line, counted from 1, or "" where there is none.
func (d *Doc) line(n int) string {
	if n < 1 || n > len(d.lines) {
		return ""
	}
	return d.lines[n-1]
}

// Has reports whether the document says anything at path, which is written as findings write it: output.kind,
// customization.metaContents[0].key, sysctls["net.core.somaxconn"].
func (d *Doc) Has(path string) bool {
	_, exact := d.find(path)
	return exact
}

// Finding is a fault at path or, where the document has nothing there, at what would hold it.
func (d *Doc) Finding(path, message, hint string) report.Finding {
	at, _ := d.find(path)
	f := d.finding(at.Line, at.Column, message)
	f.Path, f.Hint = path, hint
	return f
}

// FindingAt is a fault at n, a node of the document.
func (d *Doc) FindingAt(n *yaml.Node, message, hint string) report.Finding {
	f := d.finding(n.Line, n.Column, message)
	f.Hint = hint
	return f
}

// find is the node to point at for path: a scalar itself, the key of anything bigger. exact is false where the document
// ends above path; then it is that of the nearest node above.
func (d *Doc) find(path string) (at *yaml.Node, exact bool) {
	at, n, here := &yaml.Node{}, d.root, ""
	for here != path && n != nil {
		key, value, next := step(n, here, path)
		if value == nil {
			return at, false
		}
		at, n, here = value, value, next
		if key != nil && len(resolve(value).Content) > 0 {
			at = key
		}
	}
	return at, here == path
}

// step is the entry of n, which is at here, that leads to path.
func step(n *yaml.Node, here, path string) (key, value *yaml.Node, next string) {
	n = resolve(n)
	for i, child := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			next = IndexPath(here, i)
		case i%2 == 1:
			continue
		default:
			key, child, next = child, n.Content[i+1], FieldPath(here, child.Value)
		}
		if rest, ok := strings.CutPrefix(path, next); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
			return key, child, next
		}
	}
	return nil, nil, ""
}

func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// IndexPath is the path of an item of the list at parent.
func IndexPath(parent string, i int) string { return fmt.Sprintf("%s[%d]", parent, i) }

// FieldPath is the path of the field key of the mapping at parent.
func FieldPath(parent, key string) string {
	plain := key != "" && strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
	switch {
	case !plain:
		return parent + "[" + strconv.Quote(key) + "]"
	case parent == "":
		return key
	}
	return parent + "." + key
}
