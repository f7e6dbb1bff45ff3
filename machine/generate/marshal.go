package generate

import (
	"encoding/base64"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/machine/pki"
)

// comments say which comments a document gets.
type comments struct{ docs, examples bool }

// marshal is the mapping as a YAML document, with comments about its fields.
func (m mapping) marshal(c comments) ([]byte, error) {
	return yaml.Dump(m.node("", c, examples()), yaml.WithV3Defaults())
}

func (m mapping) node(path string, c comments, shown map[string]string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for _, f := range m {
		here := strings.TrimPrefix(path+"."+f.name, ".")
		key, value := scalar("!!str", f.name), node(f.value, here, c, shown)
		if c.docs {
			key.HeadComment = comment(doc(here))
		}
		if c.examples {
			key.FootComment = comment(shown[here])
		}
		n.Content = append(n.Content, key, value)
	}
	if len(m) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func node(value any, path string, c comments, shown map[string]string) *yaml.Node {
	var items []*yaml.Node
	switch v := value.(type) {
	case mapping:
		return v.node(path, c, shown)
	case pki.PEM:
		return scalar("!!str", base64.StdEncoding.EncodeToString(v))
	case string:
		return scalar("!!str", v)
	case int:
		return scalar("!!int", fmt.Sprint(v))
	case bool:
		return scalar("!!bool", fmt.Sprint(v))
	case []string:
		for _, s := range v {
			items = append(items, scalar("!!str", s))
		}
	case []mapping:
		for _, m := range v {
			items = append(items, m.node(path, comments{}, nil))
		}
	default:
		panic(fmt.Sprintf("generate: a %T at %s", value, path))
	}
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: items}
	if len(items) == 0 {
		n.Style = yaml.FlowStyle
	}
	return n
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

// comment is text with "# " before each of its lines.
func comment(s string) string {
	if s == "" {
		return ""
	}
	return "# " + strings.ReplaceAll(strings.TrimSuffix(s, "\n"), "\n", "\n# ")
}
