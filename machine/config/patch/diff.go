package patch

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
)

// Diff is the text of a strategic merge patch that turns a into b, empty if they say the same. What it cannot say is the
// order of documents and of fields. The error is Unsupported where no patch can do it: the main document cannot be deleted.
func Diff(a, b *config.Config) ([]byte, error) {
	var texts [][]byte
	for _, d := range a.Documents() {
		if b.Get(d.ID) != nil {
			continue
		}
		if d.Kind == config.MainKind {
			return nil, report.Errorf(report.Unsupported, "the main document is in one of the configurations only, and a patch cannot delete it")
		}
		n := header(d.Node())
		put(n, directive, scalar(remove))
		texts = append(texts, config.Encode(n))
	}
	for _, d := range b.Documents() {
		n := yamldoc.Expand(d.Node())
		if hasDirective(n) {
			return nil, report.Errorf(report.Unsupported, "%s has a field named %s", d.ID, directive)
		}
		old := a.Get(d.ID)
		if old == nil {
			texts = append(texts, config.Encode(n))
			continue
		}
		patch, ok := diffMapping(yamldoc.Expand(old.Node()), n, reflect.TypeOf(d.Value).Elem())
		if !ok {
			patch = replacement(n)
		}
		if patch != nil {
			texts = append(texts, config.Encode(addHeader(patch, n)))
		}
	}
	return config.Join(texts...), nil
}

// headerFields tell documents apart.
func headerFields() []string { return []string{"version", "apiVersion", "kind", "name"} }

func header(n *yaml.Node) *yaml.Node { return addHeader(mapping(), n) }

// addHeader puts the header of document n in front of patch.
func addHeader(patch, n *yaml.Node) *yaml.Node {
	out := mapping()
	main := get(n, "kind") == nil
	for _, key := range headerFields() {
		if v := get(n, key); v != nil && !isNull(v) && !main && get(patch, key) == nil {
			put(out, key, v)
		}
	}
	out.Content = append(out.Content, patch.Content...)
	return out
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, scalar(key), value)
}

// diffMapping is the patch from mapping a to mapping b, nil if there is no difference. It is not ok where only the
// replacement of the whole mapping can do it.
func diffMapping(a, b *yaml.Node, t reflect.Type) (patch *yaml.Node, ok bool) {
	out := mapping()
	for i := 0; i+1 < len(a.Content); i += 2 {
		key, value := a.Content[i], a.Content[i+1]
		if now := get(b, key.Value); !isNull(value) && (now == nil || isNull(now)) {
			deletion := mapping()
			put(deletion, directive, scalar(remove))
			put(out, key.Value, deletion)
		}
	}
	for i := 0; i+1 < len(b.Content); i += 2 {
		key, value := b.Content[i], b.Content[i+1]
		if isNull(value) {
			continue
		}
		old := get(a, key.Value)
		if old == nil || isNull(old) {
			put(out, key.Value, value)
			continue
		}
		ft, tag := fieldType(t, key.Value)
		change, ok := diffValue(old, value, ft, tag)
		if !ok {
			return nil, false
		}
		if change != nil {
			put(out, key.Value, change)
		}
	}
	if len(out.Content) == 0 {
		return nil, true
	}
	return out, true
}

// diffValue is the patch from a to b, with the results of diffMapping.
func diffValue(a, b *yaml.Node, t reflect.Type, tag reflect.StructTag) (*yaml.Node, bool) {
	switch {
	case config.Equal(a, b):
		return nil, true
	case b.Kind == yaml.ScalarNode:
		return b, a.Kind == yaml.ScalarNode || tag.Get("merge") == replace
	case tag.Get("merge") == replace:
		return b, true
	case b.Kind == yaml.SequenceNode && a.Kind == yaml.SequenceNode:
		return diffList(a, b, elem(t), tag.Get("by")), true
	case b.Kind == yaml.MappingNode && a.Kind == yaml.MappingNode:
		if patch, ok := diffMapping(a, b, t); ok {
			return patch, true
		}
	}
	return replacement(b), true
}

// replacement is b with the directive that it replaces what is there.
func replacement(b *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: b.Kind, Tag: b.Tag}
	mark := out
	if b.Kind == yaml.SequenceNode {
		mark = mapping()
		out.Content = append(out.Content, mark)
	}
	put(mark, directive, scalar(replace))
	out.Content = append(out.Content, b.Content...)
	return out
}

// diffList appends what b has more than a, merges items by key, or replaces the list.
func diffList(a, b *yaml.Node, t reflect.Type, by string) *yaml.Node {
	if by == "" {
		if n := len(a.Content); len(b.Content) > n && equalItems(a.Content, b.Content[:n]) {
			return &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Content: b.Content[n:]}
		}
		return replacement(b)
	}
	key, _, _ := strings.Cut(by, ",") // the others have keys that are mappings, which a delete cannot name
	patch, ok := diffKeyed(a, b, t, key)
	if !ok {
		return replacement(b)
	}
	return patch
}

// diffKeyed is about lists whose items are all told apart by key, in which items only go, change and are appended.
func diffKeyed(a, b *yaml.Node, t reflect.Type, key string) (*yaml.Node, bool) {
	was, ok1 := keysOf(a, key)
	is, ok2 := keysOf(b, key)
	kept := slices.DeleteFunc(slices.Clone(was), func(k string) bool { return !slices.Contains(is, k) })
	if !ok1 || !ok2 || len(kept) == 0 || len(is) < len(kept) || !slices.Equal(kept, is[:len(kept)]) {
		return nil, false
	}
	out := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	for i, item := range a.Content {
		at := slices.Index(is, was[i])
		entry := mapping()
		put(entry, key, get(item, key))
		if at < 0 {
			put(entry, directive, scalar(remove))
			out.Content = append(out.Content, entry)
			continue
		}
		change, ok := diffMapping(item, b.Content[at], t)
		if !ok {
			change = replacement(b.Content[at])
			change.Content = slices.Delete(change.Content, index(change, key)-1, index(change, key)+1)
		}
		if change != nil {
			entry.Content = append(entry.Content, change.Content...)
			out.Content = append(out.Content, entry)
		}
	}
	out.Content = append(out.Content, b.Content[len(kept):]...)
	return out, true
}

// keysOf are the keys of the items of a list. It is not ok unless each item has one of its own, a scalar.
func keysOf(list *yaml.Node, key string) (keys []string, ok bool) {
	for _, item := range list.Content {
		v := get(item, key)
		if v == nil || v.Kind != yaml.ScalarNode || isNull(v) || slices.Contains(keys, v.Value) {
			return nil, false
		}
		keys = append(keys, v.Value)
	}
	return keys, true
}

func equalItems(a, b []*yaml.Node) bool { return slices.EqualFunc(a, b, config.Equal) }

func hasDirective(n *yaml.Node) bool {
	if get(n, directive) != nil {
		return true
	}
	return slices.ContainsFunc(n.Content, hasDirective)
}
