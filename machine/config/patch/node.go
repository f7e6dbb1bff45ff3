package patch

import "go.yaml.in/yaml/v4"

func mapping() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

func scalar(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// index is where in n.Content the value of key is, or -1.
func index(n *yaml.Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i + 1
		}
	}
	return -1
}

// get is the value of key in a mapping, or nil.
func get(n *yaml.Node, key string) *yaml.Node {
	if i := index(n, key); i > 0 {
		return n.Content[i]
	}
	return nil
}

// set puts value at Content[at], or behind the last field if at is -1.
func set(n, key *yaml.Node, at int, value *yaml.Node) {
	if at > 0 {
		n.Content[at] = value
		return
	}
	if len(n.Content) == 0 { // {} in the text: what is in it now is written as elsewhere
		n.Style &^= yaml.FlowStyle
	}
	k := *key
	n.Content = append(n.Content, &k, value)
}

// overwrite makes n say what value says; comments of n that value has none for stay.
func overwrite(n, value *yaml.Node) {
	head, line, foot := n.HeadComment, n.LineComment, n.FootComment
	*n = *value
	if n.HeadComment == "" && n.LineComment == "" && n.FootComment == "" {
		n.HeadComment, n.LineComment, n.FootComment = head, line, foot
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// hasDelete reports whether there is a $patch: delete in n.
func hasDelete(n *yaml.Node) bool {
	if verb(n) == remove {
		return true
	}
	for _, child := range n.Content {
		if hasDelete(child) {
			return true
		}
	}
	return false
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "mapping"
	case yaml.SequenceNode:
		return "list"
	}
	return "scalar"
}

// clone is a copy of n that shares nothing with it.
func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	for _, child := range n.Content {
		out.Content = append(out.Content, clone(child))
	}
	return &out
}

// size counts n and all below it.
func size(n *yaml.Node) int {
	total := 1
	for _, child := range n.Content {
		total += size(child)
	}
	return total
}
