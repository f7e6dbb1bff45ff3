package config

import (
	"bytes"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Encode is the text of one document, indented as n was. Comments are kept unless the text would then say something else.
func Encode(n *yaml.Node) []byte {
	text := Dump(n, true)
	if again, err := parse(text); err != nil || !Equal(n, again) {
		return Dump(n, false)
	}
	return text
}

// Dump is Encode for who reads the text anyway: comments in places where nobody expects them can make it say something else,
// or nothing that can be read.
func Dump(n *yaml.Node, comments bool) []byte { return dump(clone(n, comments)) }

func parse(text []byte) (*yaml.Node, error) {
	doc, err := yamldoc.Parse("", text, Limits())
	if err != nil {
		return nil, err
	}
	return doc.Node(), nil
}

func dump(n *yaml.Node) []byte {
	indent, compact := layout(n)
	var out bytes.Buffer
	d, err := yaml.NewDumper(&out, yaml.WithIndent(indent), yaml.WithCompactSeqIndent(compact), yaml.WithLineWidth(-1))
	if err == nil {
		err = d.Dump(n)
	}
	if err == nil {
		err = d.Close()
	}
	if err != nil {
		panic("config: encoding parsed YAML: " + err.Error())
	}
	return out.Bytes()
}

// layout finds how the text of n was indented: by how much, and whether the dashes of a list are below the key.
func layout(n *yaml.Node) (indent int, compact bool) {
	seenList := false
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for i := 1; n.Kind == yaml.MappingNode && n.Style&yaml.FlowStyle == 0 && i < len(n.Content); i += 2 {
			key, value := n.Content[i-1], n.Content[i]
			if len(value.Content) == 0 || value.Style&yaml.FlowStyle != 0 || value.Column == 0 || key.Column == 0 || value.Line == key.Line {
				continue
			}
			if in := value.Column - key.Column; value.Kind == yaml.MappingNode && indent == 0 && in >= 2 && in <= 8 {
				indent = in
			} else if value.Kind == yaml.SequenceNode && !seenList {
				seenList, compact = true, in == 0
			}
		}
		for _, child := range n.Content {
			if indent != 0 && seenList {
				return
			}
			walk(child)
		}
	}
	walk(n)
	return max(indent, 2), compact
}

// clone is a copy of n, for the dumper takes tags away from what it is given. Aliases are expanded.
func clone(n *yaml.Node, comments bool) *yaml.Node {
	out := *target(n)
	out.Anchor = ""
	if !comments {
		out.HeadComment, out.LineComment, out.FootComment = "", "", ""
	}
	out.Content = nil
	for _, child := range target(n).Content {
		out.Content = append(out.Content, clone(child, comments))
	}
	return &out
}

// Equal reports whether a and b say the same: the order of keys, comments, styles and null fields aside.
func Equal(a, b *yaml.Node) bool {
	a, b = target(a), target(b)
	if a.Kind != b.Kind {
		return false
	}
	switch a.Kind {
	case yaml.MappingNode:
		x, y := fields(a), fields(b)
		if len(x) != len(y) {
			return false
		}
		for key, value := range x {
			if other, ok := y[key]; !ok || !Equal(value, other) {
				return false
			}
		}
		return true
	case yaml.SequenceNode:
		if len(a.Content) != len(b.Content) {
			return false
		}
		for i := range a.Content {
			if !Equal(a.Content[i], b.Content[i]) {
				return false
			}
		}
		return true
	}
	return a.ShortTag() == b.ShortTag() && (a.Value == b.Value || a.ShortTag() == "!!null")
}

// fields are the values of a mapping that are not null.
func fields(n *yaml.Node) map[string]*yaml.Node {
	m := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := target(n.Content[i+1]); value.ShortTag() != "!!null" {
			m[n.Content[i].Value] = value
		}
	}
	return m
}

func target(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode || n.Kind == yaml.DocumentNode {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		} else {
			n = n.Content[0]
		}
	}
	return n
}
