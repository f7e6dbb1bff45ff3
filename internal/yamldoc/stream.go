package yamldoc

import (
	"bytes"
	"io"

	"go.yaml.in/yaml/v4"
)

// maxDocs bounds the documents of a stream.
const maxDocs = 1000

// ParseStream reads all the documents in data, which may be none; empty ones are left out. Options bound the stream as a
// whole.
func ParseStream(name string, data []byte, o Options) ([]*Doc, error) {
	all, data, err := read(name, data, o)
	if err != nil {
		return nil, err
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var docs []*Doc
	for {
		var n yaml.Node
		if err := loader.Load(&n); err == io.EOF {
			return docs, nil
		} else if err != nil {
			return nil, all.syntaxError(err)
		}
		if len(n.Content) == 0 || isNull(n.Content[0]) {
			continue
		}
		d := &Doc{name: name, lines: all.lines, root: n.Content[0], opts: all.opts}
		if _, err := d.expanded(d.root, 0, map[*yaml.Node]int{}); err != nil {
			return nil, err
		}
		if docs = append(docs, d); len(docs) > maxDocs {
			return nil, d.fail(d.root.Line, d.root.Column, "", "more than %d documents", maxDocs)
		}
	}
}

// Node is the value of the document. Aliases in it are not expanded; see Expand.
func (d *Doc) Node() *yaml.Node { return d.root }

// FromNode is a document that holds n, whose places are those of the text of d.
func (d *Doc) FromNode(n *yaml.Node) *Doc {
	return &Doc{name: d.name, lines: d.lines, root: n, opts: d.opts}
}

// Expand is a copy of n with what its aliases stand for in their place, and without anchors.
func Expand(n *yaml.Node) *yaml.Node {
	out := *resolve(n)
	out.Anchor, out.Alias = "", nil
	out.Content = nil
	for _, child := range resolve(n).Content {
		out.Content = append(out.Content, Expand(child))
	}
	return &out
}
