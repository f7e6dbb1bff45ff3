package patch

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
)

// merger merges a patch into a document, field by field; types say how lists are merged.
type merger struct {
	patch *yamldoc.Doc
	id    string // of the document, for messages
	named bool
}

func (m merger) errorf(at *yaml.Node, format string, args ...any) error {
	return fail(m.patch, at, fmt.Sprintf(format, args...), "")
}

// missing is the error of a delete that finds nothing.
func (m merger) missing(at *yaml.Node, path string) error {
	prefix := ""
	if m.named {
		prefix = "named patch delete: document " + m.id + ": "
	}
	return m.errorf(at, "%spatch delete: path '%s' in document '%s': failed to delete path '%s': lookup failed", prefix, path, m.id, path)
}

// mapping merges patch, a mapping, into n, which is one too. t is the type of the struct or map, or nil where anything goes.
func (m merger) mapping(n, patch *yaml.Node, t reflect.Type, path string) error {
	for i := 0; i+1 < len(patch.Content); i += 2 {
		key, value := patch.Content[i], patch.Content[i+1]
		path := yamldoc.FieldPath(path, key.Value)
		if key.Value == directive || isNull(value) {
			continue
		}
		ft, tag := fieldType(t, key.Value)
		at := index(n, key.Value)
		switch {
		case verb(value) == remove && at < 0:
			return m.missing(value, path)
		case verb(value) == remove:
			n.Content = slices.Delete(n.Content, at-1, at+1)
		case at < 0 || isNull(n.Content[at]):
			fresh, err := m.fresh(value, ft, path)
			if err != nil {
				return err
			}
			set(n, key, at, fresh)
		default:
			if err := m.value(n.Content[at], value, ft, tag, path); err != nil {
				return err
			}
			if target := n.Content[at]; target.Kind == yaml.SequenceNode && len(target.Content) == 0 && hasDelete(value) {
				n.Content = slices.Delete(n.Content, at-1, at+1)
			}
		}
	}
	return nil
}

// value merges patch into n, in place.
func (m merger) value(n, patch *yaml.Node, t reflect.Type, tag reflect.StructTag, path string) error {
	replaced := tag.Get("merge") == replace || verb(patch) == replace || len(patch.Content) > 0 && patch.Kind == yaml.SequenceNode && isMark(patch.Content[0])
	switch {
	case replaced:
		fresh, err := m.fresh(patch, t, path)
		if err == nil {
			overwrite(n, fresh)
		}
		return err
	case n.Kind != patch.Kind:
		return m.errorf(patch, "%s: merge type mismatch left %s right %s", path, kindName(n), kindName(patch))
	case n.Kind == yaml.MappingNode:
		return m.mapping(n, patch, t, path)
	case n.Kind == yaml.SequenceNode:
		return m.list(n, patch, elem(t), strings.Split(tag.Get("by"), ","), path)
	}
	overwrite(n, patch)
	return nil
}

// list appends the items of patch to n, or merges them with those that have the same key.
func (m merger) list(n, patch *yaml.Node, t reflect.Type, keys []string, path string) error {
	for i, item := range patch.Content {
		path := yamldoc.IndexPath(path, i)
		if verb(item) == remove {
			at := selected(n, item)
			if at < 0 {
				return m.missing(item, path)
			}
			n.Content = slices.Delete(n.Content, at, at+1)
			continue
		}
		at := sameKey(n, item, keys)
		if at < 0 {
			if verb(item) == replace {
				return m.errorf(item, "%s: $patch: replace finds no item to replace", path)
			}
			fresh, err := m.fresh(item, t, path)
			if err != nil {
				return err
			}
			n.Content = append(n.Content, fresh)
			continue
		}
		if err := m.value(n.Content[at], item, t, "", path); err != nil {
			return err
		}
	}
	return nil
}

// fresh is a copy of patch for a place where nothing is, or nothing is to stay. A delete in it has nothing to delete.
func (m merger) fresh(patch *yaml.Node, t reflect.Type, path string) (*yaml.Node, error) {
	out := *patch
	out.Content = nil
	switch patch.Kind {
	case yaml.MappingNode:
		return &out, m.mapping(&out, patch, t, path)
	case yaml.SequenceNode:
		for i, item := range patch.Content {
			path := yamldoc.IndexPath(path, i)
			if verb(item) == remove {
				return nil, m.missing(item, path)
			}
			if isMark(item) {
				continue
			}
			if hasDelete(item) {
				return nil, m.errorf(item, "cannot delete an inner key in '%s'", path)
			}
			fresh, err := m.fresh(item, elem(t), path)
			if err != nil {
				return nil, err
			}
			out.Content = append(out.Content, fresh)
		}
	}
	return &out, nil
}

// fieldType is the type of a field of a struct and its tag, or of the elements of a map.
func fieldType(t reflect.Type, key string) (reflect.Type, reflect.StructTag) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return elem(t), ""
	}
	for _, f := range yamldoc.Fields(t) {
		if f.Name == key {
			return f.Type, f.Tag
		}
	}
	return nil, ""
}

// elem is the type of the elements of a list or map, or nil.
func elem(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Slice && t.Kind() != reflect.Map || t.Elem().Kind() == reflect.Interface {
		return nil
	}
	return t.Elem()
}

// selected is the item of n that a delete means: the first whose field equals the first field of item besides the directive.
func selected(n, item *yaml.Node) int {
	for i := 0; i+1 < len(item.Content); i += 2 {
		if key := item.Content[i].Value; key != directive {
			return slices.IndexFunc(n.Content, func(have *yaml.Node) bool {
				v := get(have, key)
				return v != nil && config.Equal(v, item.Content[i+1])
			})
		}
	}
	return -1
}

// sameKey is the item of n with the key of item: the first of keys that item has.
func sameKey(n, item *yaml.Node, keys []string) int {
	for _, key := range keys {
		if v := get(item, key); v != nil && !isNull(v) {
			return slices.IndexFunc(n.Content, func(have *yaml.Node) bool {
				w := get(have, key)
				return w != nil && config.Equal(v, w)
			})
		}
	}
	return -1
}
