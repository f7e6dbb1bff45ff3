package patch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
)

// operation is one of RFC 6902. Document, which that does not know, names the document that it is about: v1alpha1, Kind or
// Kind/name.
type operation struct {
	Op, Path, From, Document string

	doc   *yamldoc.Doc
	node  *yaml.Node
	value *yaml.Node // nil if there is none
}

// loadOperations reads a list of operations. Members that RFC 6902 does not define are ignored, as it says.
func loadOperations(doc *yamldoc.Doc) ([]operation, error) {
	list := yamldoc.Expand(doc.Node())
	var findings report.Findings
	ops := []operation{}
	for i, item := range list.Content {
		op := operation{doc: doc, node: item, value: get(item, "value")}
		for name, field := range map[string]*string{"op": &op.Op, "path": &op.Path, "from": &op.From, "document": &op.Document} {
			if v := get(item, name); v != nil {
				*field = v.Value
			}
		}
		if message, hint := op.check(); message != "" {
			f := doc.FindingAt(item, message, hint)
			f.Path = yamldoc.IndexPath("", i)
			findings = append(findings, f)
		}
		ops = append(ops, op)
	}
	return ops, findings.Err()
}

// check says what an operation lacks.
func (o *operation) check() (message, hint string) {
	known := []string{"add", "remove", "replace", "move", "copy", "test"}
	switch {
	case o.node.Kind != yaml.MappingNode:
		return "an operation is a mapping", "such as {op: remove, path: /machine/time}"
	case !slices.Contains(known, o.Op):
		if near := report.Nearest(o.Op, known); near != "" {
			return "unknown op " + strconv.Quote(o.Op), "did you mean " + near + "?"
		}
		return "unknown op " + strconv.Quote(o.Op), "one of " + strings.Join(known, ", ")
	case get(o.node, "path") == nil:
		return "the operation has no path", "such as /machine/network/hostname"
	case o.value == nil && slices.Contains([]string{"add", "replace", "test"}, o.Op):
		return "the operation " + o.Op + " has no value", ""
	case get(o.node, "from") == nil && slices.Contains([]string{"move", "copy"}, o.Op):
		return "the operation " + o.Op + " has no from", ""
	}
	for _, pointer := range []string{o.Path, o.From} {
		if pointer != "" && pointer[0] != '/' {
			return strconv.Quote(pointer) + " is not a JSON pointer", "begin it with /"
		}
	}
	return "", ""
}

// maxNodes bounds what copies of copies make.
const maxNodes = 250_000

// json applies the operations of a JSON patch.
func (s *state) json(p *Patch) error {
	for i, op := range p.ops {
		doc, err := s.documentOf(op)
		if err == nil {
			err = op.apply(doc)
		}
		if err == nil && size(doc.node) > maxNodes {
			err = report.Errorf(report.Invalid, "the document becomes too big")
		}
		if err != nil {
			return fail(op.doc, op.node, fmt.Sprintf("operation %d (%s %.200s): %v", i, op.Op, op.Path, err), report.HintOf(err))
		}
	}
	return nil
}

// documentOf is the document that an operation is about.
func (s *state) documentOf(op operation) (*document, error) {
	id := config.ID{Kind: config.MainKind}
	if op.Document != "" {
		id.Kind, id.Name, _ = strings.Cut(op.Document, "/")
	} else if len(s.docs) > 1 {
		return nil, report.WithHint(report.Errorf(report.Invalid, "JSON6902 patches are not supported for multi-document machine configuration"),
			"say which document each operation is about: document: v1alpha1, or document: Kind/name; or use a strategic merge patch")
	} else {
		id = s.docs[0].ID
	}
	doc := s.find(id)
	if doc == nil {
		return nil, report.Errorf(report.Invalid, "there is no document %s", id)
	}
	return doc, nil
}

// apply is one operation on a document.
func (o *operation) apply(doc *document) error {
	switch o.Op {
	case "add":
		return add(doc, o.Path, clone(o.value))
	case "remove":
		_, err := take(doc, o.Path)
		return err
	case "replace":
		at, err := find(doc.node, o.Path)
		if err == nil {
			overwrite(at, clone(o.value))
		}
		return err
	case "test":
		at, err := find(doc.node, o.Path)
		if err == nil && !config.Equal(at, o.value) {
			err = report.Errorf(report.Invalid, "the value is another")
		}
		return err
	case "copy":
		at, err := find(doc.node, o.From)
		if err != nil {
			return err
		}
		return add(doc, o.Path, clone(at))
	}
	if o.Path == o.From {
		_, err := find(doc.node, o.Path)
		return err
	}
	if strings.HasPrefix(o.Path, o.From+"/") {
		return report.Errorf(report.Invalid, "%s cannot be moved into itself", o.From)
	}
	value, err := take(doc, o.From)
	if err != nil {
		return err
	}
	return add(doc, o.Path, value)
}

// tokens are the parts of a JSON pointer (RFC 6901).
func tokens(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(pointer[1:], "/")
	for i := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(parts[i])
	}
	return parts
}

// find is the value at a pointer.
func find(n *yaml.Node, pointer string) (*yaml.Node, error) {
	for i, token := range tokens(pointer) {
		at := index(n, token)
		if n.Kind == yaml.SequenceNode {
			at = position(token, len(n.Content))
		}
		if at < 0 {
			parts := strings.Split(pointer, "/")
			return nil, report.Errorf(report.Invalid, "there is nothing at %s", strings.Join(parts[:i+2], "/"))
		}
		n = n.Content[at]
	}
	return n, nil
}

// position is an index of a list of size items, or -1: RFC 6901 wants decimal digits without leading zeros.
func position(token string, size int) int {
	i, err := strconv.ParseUint(token, 10, 31)
	if err != nil || strconv.FormatUint(i, 10) != token || int(i) >= size {
		return -1
	}
	return int(i)
}

// holder is the list or mapping that a pointer leads into, and the last part of the pointer.
func holder(root *yaml.Node, pointer string) (*yaml.Node, string, error) {
	cut := strings.LastIndexByte(pointer, '/')
	parent, err := find(root, pointer[:cut])
	if err != nil {
		return nil, "", err
	}
	if parent.Kind == yaml.ScalarNode {
		return nil, "", report.Errorf(report.Invalid, "at %s is neither a mapping nor a list", pointer[:cut])
	}
	parts := tokens(pointer)
	return parent, parts[len(parts)-1], nil
}

// add puts value at a pointer: in place of what is there in a mapping, before it in a list.
func add(doc *document, pointer string, value *yaml.Node) error {
	if pointer == "" {
		doc.node = value
		return nil
	}
	parent, token, err := holder(doc.node, pointer)
	if err != nil {
		return err
	}
	if parent.Kind == yaml.MappingNode {
		set(parent, scalar(token), index(parent, token), value)
		return nil
	}
	at := len(parent.Content)
	if token != "-" {
		at = position(token, len(parent.Content)+1)
	}
	if at < 0 {
		return report.Errorf(report.Invalid, "%q is not a place in a list of %d", token, len(parent.Content))
	}
	if len(parent.Content) == 0 {
		parent.Style &^= yaml.FlowStyle
	}
	parent.Content = slices.Insert(parent.Content, at, value)
	return nil
}

// take removes the value at a pointer and gives it back.
func take(doc *document, pointer string) (*yaml.Node, error) {
	if pointer == "" {
		return nil, report.Errorf(report.Invalid, "the document itself cannot be removed")
	}
	value, err := find(doc.node, pointer)
	if err != nil {
		return nil, err
	}
	parent, token, err := holder(doc.node, pointer)
	if err != nil {
		return nil, err
	}
	at := index(parent, token)
	if parent.Kind == yaml.MappingNode {
		parent.Content = slices.Delete(parent.Content, at-1, at+1)
		return value, nil
	}
	at = position(token, len(parent.Content))
	parent.Content = slices.Delete(parent.Content, at, at+1)
	return value, nil
}
