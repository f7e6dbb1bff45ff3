package patch

import (
	"errors"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
)

// directive is the key that says what to do instead of merging, and its values.
const (
	directive = "$patch"
	remove    = "delete"
	replace   = "replace"
)

// checkStrategic decodes a document of a strategic merge patch, without its directives, as strictly as a configuration. id
// is that of the document which it is about, in the notation of messages.
func checkStrategic(doc *yamldoc.Doc) (id string, fs report.Findings) {
	kind, name, fs := config.Identify(doc)
	if len(fs) > 0 {
		return "", fs
	}
	if err := checkDirectives(doc, doc.Node()); err != nil {
		return "", err
	}
	if verb(doc.Node()) == remove && kind.Name == config.MainKind {
		return "", report.Findings{doc.FindingAt(doc.Node(), "can't delete the root of the legacy document", "the main document cannot be deleted")}
	}
	err := doc.FromNode(stripped(doc.Node())).Decode(kind.New())
	fs, _ = errors.AsType[report.Findings](err)
	return messageID(config.ID{Kind: kind.Name, Name: name}), fs
}

// messageID is /v1alpha1 for the main document, else apiVersion/kind/name.
func messageID(id config.ID) string {
	if id.Kind == config.MainKind {
		return "/" + config.MainKind
	}
	return config.APIVersion + "/" + id.String()
}

// checkDirectives looks for values of $patch that nobody knows.
func checkDirectives(doc *yamldoc.Doc, n *yaml.Node) report.Findings {
	if v := get(n, directive); v != nil && !slices.Contains([]string{remove, replace}, v.Value) {
		return report.Findings{doc.FindingAt(v, "unknown $patch", "delete or replace")}
	}
	for _, child := range n.Content {
		if fs := checkDirectives(doc, child); fs != nil {
			return fs
		}
	}
	return nil
}

// fail is an error about a place of a patch.
func fail(doc *yamldoc.Doc, at *yaml.Node, message, hint string) error {
	return config.HideSecrets(report.Findings{doc.FindingAt(at, message, hint)}).Err()
}

// strategic merges the documents of a patch.
func (s *state) strategic(p *Patch) error {
	for _, doc := range p.documents {
		kind, name, _ := config.Identify(doc)
		id := config.ID{Kind: kind.Name, Name: name}
		target, patch := s.find(id), doc.Node()
		switch {
		case verb(patch) == remove && target == nil:
			return fail(doc, patch, "patch delete: there is no document "+messageID(id), "")
		case verb(patch) == remove:
			s.remove(target)
			continue
		case target == nil:
			target = &document{ID: id, node: mapping()}
			s.docs = append(s.docs, target)
		case verb(patch) == replace:
			target.node = mapping()
		}
		m := merger{patch: doc, id: messageID(id), named: id.Name != ""}
		t := reflect.TypeOf(kind.New()).Elem()
		if err := m.mapping(target.node, patch, t, ""); err != nil {
			return err
		}
	}
	if len(s.docs) == 0 {
		return report.Errorf(report.Invalid, "%s: the patch deletes the last document", p.name)
	}
	return nil
}

// verb is the $patch of a mapping, or "".
func verb(n *yaml.Node) string {
	if v := get(n, directive); v != nil {
		return v.Value
	}
	return ""
}

// stripped is n without directives and what they delete.
func stripped(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = nil
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if key, value := n.Content[i], n.Content[i+1]; key.Value != directive && verb(value) != remove {
				out.Content = append(out.Content, key, stripped(value))
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if verb(item) != remove && !isMark(item) {
				out.Content = append(out.Content, stripped(item))
			}
		}
	}
	return &out
}

// isMark reports whether an item of a list is {$patch: replace} alone, which says that the list is replaced.
func isMark(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && len(n.Content) == 2 && verb(n) == replace
}
