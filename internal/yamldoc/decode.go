package yamldoc

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
)

// The tags of scalars, as the parser resolves them. anyTag is a setting from a command line, which has no type.
const (
	strTag   = "!!str"
	intTag   = "!!int"
	floatTag = "!!float"
	boolTag  = "!!bool"
	nullTag  = "!!null"
	anyTag   = "!"
)

// Decode fills v, a pointer to a struct, from the document. Fields are named by their `yaml` tag ("name", "name,omitempty",
// ",inline" or "-"), a type with UnmarshalText is a scalar, and null leaves a field as it is. Any field that v lacks, any
// value of another type and any name given twice is a finding; all are in the one Invalid error. After an error v is
// filled in part. A v of a type that cannot be decoded into is a mistake in the program: a panic.
func (d *Doc) Decode(v any) error {
	dec := decoder{doc: d, root: reflect.TypeOf(v).Elem()}
	dec.value(d.root, reflect.ValueOf(v).Elem(), "")
	dec.findings.Sort()
	if more := len(dec.findings) - maxFindings; more > 0 {
		last := report.Finding{Severity: report.Fault, File: d.name, Message: fmt.Sprintf("and %d more", more)}
		dec.findings = append(dec.findings[:maxFindings], last)
	}
	return dec.findings.Err()
}

// What is said about a document is bounded, whatever is in it.
const (
	maxFindings = 50
	maxShown    = 200 // bytes of a path or a message
	maxWord     = 64  // bytes of a field's name that may be a misspelling
)

type decoder struct {
	doc      *Doc
	root     reflect.Type
	findings report.Findings
}

func (dec *decoder) add(n *yaml.Node, path, hint, format string, args ...any) {
	f := dec.doc.finding(n.Line, n.Column, cut(fmt.Sprintf(format, args...), maxShown))
	f.Path, f.Hint = cut(path, maxShown), hint
	dec.findings = append(dec.findings, f)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// value decodes n into v.
func (dec *decoder) value(n *yaml.Node, v reflect.Value, path string) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Style&yaml.TaggedStyle != 0 && !slices.Contains([]string{strTag, intTag, floatTag, boolTag, "!!map", "!!seq"}, n.Tag) {
		dec.add(n, path, "", "tag %s is not supported", n.Tag)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		dec.value(n, v.Elem(), path)
		return
	}
	if text, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		dec.text(n, text, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		dec.structure(n, v, path)
	case reflect.Map:
		dec.mapping(n, v, path)
	case reflect.Slice:
		dec.list(n, v, path)
	case reflect.Interface:
		if any := dec.anything(n, path); any != nil {
			v.Set(reflect.ValueOf(any))
		}
	default:
		dec.scalar(n, v, path)
	}
}

func (dec *decoder) text(n *yaml.Node, v encoding.TextUnmarshaler, path string) {
	if n.Kind != yaml.ScalarNode {
		dec.add(n, path, "", "found %s, want text", found(n))
		return
	}
	if err := v.UnmarshalText([]byte(n.Value)); err != nil {
		dec.add(n, path, report.HintOf(err), "%v", err)
	}
}

func (dec *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	fields := Fields(v.Type())
	dec.entries(n, path, func(key, value *yaml.Node, path string) {
		i := slices.IndexFunc(fields, func(f Field) bool { return f.Name == key.Value })
		if i < 0 {
			dec.add(key, path, dec.unknownHint(key.Value, fields), "unknown field")
			return
		}
		dec.value(value, v.FieldByIndex(fields[i].Index), path)
	}, "fields: "+names(fields))
}

func (dec *decoder) mapping(n *yaml.Node, v reflect.Value, path string) {
	if v.Type().Key().Kind() != reflect.String {
		panic(fmt.Sprintf("yamldoc: cannot decode into %s", v.Type()))
	}
	m := reflect.MakeMap(v.Type())
	dec.entries(n, path, func(key, value *yaml.Node, path string) {
		element := reflect.New(v.Type().Elem()).Elem()
		dec.value(value, element, path)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), element)
	}, "")
	v.Set(m)
}

// anything is n as a map[string]any, []any, string, int64, uint64, float64 or bool, or nil.
func (dec *decoder) anything(n *yaml.Node, path string) any {
	n = resolve(n)
	switch {
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		dec.entries(n, path, func(key, value *yaml.Node, path string) { m[key.Value] = dec.anything(value, path) }, "")
		return m
	case n.Kind == yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = dec.anything(item, IndexPath(path, i))
		}
		return list
	}
	return scalarValue(n)
}

// scalarValue is a scalar as the type that it looks like.
func scalarValue(n *yaml.Node) any {
	var i int64
	var u uint64
	var f float64
	var b bool
	switch {
	case n.Tag == nullTag:
		return nil
	case setScalar(n, reflect.ValueOf(&b).Elem()):
		return b
	case setScalar(n, reflect.ValueOf(&i).Elem()):
		return i
	case setScalar(n, reflect.ValueOf(&u).Elem()):
		return u
	case setScalar(n, reflect.ValueOf(&f).Elem()):
		return f
	}
	return n.Value
}

// entries calls each with every key and value of a mapping and the value's path; hint is for an n that is none.
func (dec *decoder) entries(n *yaml.Node, path string, each func(key, value *yaml.Node, path string), hint string) {
	if n.Kind != yaml.MappingNode {
		dec.add(n, path, hint, "found %s, want a mapping", found(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		first, twice := lines[key.Value]
		switch {
		case key.Tag == "!!merge":
			dec.add(key, path, "write the fields out", "merge keys (<<) are not supported")
		case key.Tag != strTag:
			dec.add(key, path, "", "found %s for a key, want text", found(key))
		case twice:
			dec.add(key, FieldPath(path, key.Value), "", "given twice, first on line %d", first)
		default:
			lines[key.Value] = key.Line
			each(key, value, FieldPath(path, key.Value))
		}
	}
}

func (dec *decoder) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Tag == anyTag {
		n = &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}}
	}
	if n.Kind != yaml.SequenceNode {
		hint := ""
		if n.Kind == yaml.ScalarNode {
			hint = fmt.Sprintf("write [%s]", cut(n.Value, 40))
		}
		dec.add(n, path, hint, "found %s, want a list", found(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		path := IndexPath(path, i)
		if isNull(resolve(item)) {
			dec.add(item, path, "", "the item is empty")
			continue
		}
		dec.value(item, list.Index(i), path)
	}
	v.Set(list)
}

// wants are the words for what a scalar field takes, by its kind.
func wants(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "true or false"
	case v.CanInt():
		return fmt.Sprintf("a whole number of up to %d bits", v.Type().Bits())
	case v.CanUint():
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<v.Type().Bits()-1)
	case v.CanFloat():
		return "a number"
	}
	panic(fmt.Sprintf("yamldoc: cannot decode into %s", v.Type()))
}

func (dec *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	want := wants(v)
	if n.Kind == yaml.ScalarNode && (setScalar(n, v) || dec.doc.opts.Loose && setLoosely(n, v)) {
		return
	}
	hint := ""
	switch {
	case n.Kind != yaml.ScalarNode:
	case v.Kind() == reflect.String:
		hint = fmt.Sprintf("put it in quotes: %q", cut(n.Value, 40))
	case n.Tag == strTag && v.Kind() == reflect.Bool:
		if i := slices.Index([]string{"no", "yes", "off", "on", "n", "y", "false", "true"}, strings.ToLower(n.Value)); i >= 0 {
			hint = fmt.Sprintf("write %v", i%2 == 1)
		}
	case n.Tag == strTag && setScalar(&yaml.Node{Tag: anyTag, Value: n.Value}, v):
		hint = "remove the quotes"
	}
	dec.add(n, path, hint, "found %s, want %s", found(n), want)
}

// setScalar sets v to what n says, if n is of v's type and in its range.
func setScalar(n *yaml.Node, v reflect.Value) bool {
	is := func(tags ...string) bool { return n.Tag == anyTag || slices.Contains(tags, n.Tag) }
	switch {
	case v.Kind() == reflect.String && is(strTag):
		v.SetString(n.Value)
		return true
	case v.Kind() == reflect.Bool && is(boolTag):
		b, err := strconv.ParseBool(strings.ToLower(n.Value))
		v.SetBool(b)
		return err == nil
	case v.CanInt() && is(intTag):
		i, err := strconv.ParseInt(n.Value, 0, v.Type().Bits())
		v.SetInt(i)
		return err == nil
	case v.CanUint() && is(intTag):
		u, err := strconv.ParseUint(strings.TrimPrefix(n.Value, "+"), 0, v.Type().Bits())
		v.SetUint(u)
		return err == nil
	case v.CanFloat() && is(intTag, floatTag):
		f, err := strconv.ParseFloat(n.Value, v.Type().Bits())
		v.SetFloat(f)
		return err == nil
	}
	return false
}

// setLoosely is what Options.Loose adds to setScalar.
func setLoosely(n *yaml.Node, v reflect.Value) bool {
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
		return true
	case reflect.Bool:
		i := slices.Index([]string{"n", "y", "N", "Y", "no", "yes", "off", "on"}, n.Value)
		v.SetBool(i%2 == 1)
		return i >= 0
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == nullTag }

// found says what n is.
func found(n *yaml.Node) string {
	value := cut(n.Value, 40)
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == intTag || n.Tag == floatTag:
		return "the number " + value
	case n.Tag == boolTag:
		return value
	case n.Tag == nullTag:
		return "nothing"
	}
	return fmt.Sprintf("the text %q", value)
}

// Field is a field of a struct as documents see it, those of its inlined structs included.
type Field struct {
	Name  string
	Index []int // for reflect.Value.FieldByIndex
	Type  reflect.Type
	Tag   reflect.StructTag
}

// Fields are the fields that Decode knows in t, a struct type.
func Fields(t reflect.Type) []Field {
	var out []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				out = append(out, inner)
			}
		case f.IsExported() && name != "" && name != "-":
			out = append(out, Field{name, []int{i}, f.Type, f.Tag})
		}
	}
	return out
}

func names(fields []Field) string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Name)
	}
	return strings.Join(out, ", ")
}

// unknownHint is what an unknown field was probably meant to be: a field from elsewhere, a name alike, or any of the names
// there are.
func (dec *decoder) unknownHint(name string, fields []Field) string {
	if len(name) > maxWord {
		return "fields: " + names(fields)
	}
	if paths := deeper(name, dec.root, 4); len(paths) == 1 {
		return fmt.Sprintf("did you mean %s?", paths[0])
	}
	var candidates []string
	for _, f := range fields {
		candidates = append(candidates, f.Name)
	}
	if near := report.Nearest(name, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "fields: " + names(fields)
}

// deeper are the paths of the fields called name in a struct below t, at most levels deep.
func deeper(name string, t reflect.Type, levels int) []string {
	var paths []string
	for _, f := range Fields(t) {
		if f.Name == name {
			paths = append(paths, name)
		}
		if f.Type.Kind() == reflect.Struct && levels > 0 {
			for _, p := range deeper(name, f.Type, levels-1) {
				paths = append(paths, f.Name+"."+p)
			}
		}
	}
	return paths
}
