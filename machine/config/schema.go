package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/value"
)

// Schema is a JSON Schema (draft 2020-12) of one document of a configuration, made from the types and tags of its fields,
// with what each field means. It takes all that Validate takes, and refuses what Load refuses: unknown fields, values of
// other types, unknown kinds.
//
// Which kind a document is of decides by itself which schema it is held to, so that what is wrong is said of that kind only.
func Schema() []byte {
	s := schemas{defs: map[string]any{}}
	var names []string
	var rules []any
	for _, k := range Kinds() {
		t := reflect.TypeOf(k.New()).Elem()
		s.of(t, "")
		def := s.defs[defName(t)].(map[string]any)
		def["description"] = k.Doc
		properties := def["properties"].(map[string]any)
		if k.Name == MainKind {
			properties["kind"], properties["apiVersion"] = false, false
			rules = append(rules, rule(map[string]any{"not": map[string]any{"required": []string{"kind"}}}, t))
			continue
		}
		own := []string{k.Name}
		if k.Also != "" {
			own = append(own, k.Also)
		}
		names = append(names, own...)
		properties["kind"] = map[string]any{"enum": own}
		properties["apiVersion"] = map[string]any{"enum": []string{APIVersion}}
		rules = append(rules, rule(map[string]any{"required": []string{"kind"}, "properties": map[string]any{"kind": map[string]any{"enum": own}}}, t))
	}
	out, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "A document of a machine configuration",
		"type":    "object",
		"properties": map[string]any{ // what editors offer before they know of which kind the document is
			"kind":       map[string]any{"enum": names, "description": "The kind of the document; the main one has none."},
			"apiVersion": map[string]any{"enum": []string{APIVersion}, "description": "The version of the format, beside kind."},
		},
		"allOf": rules,
		"$defs": s.defs,
	}, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error())
	}
	return append(out, '\n')
}

// rule holds what condition is true of to the schema of t.
func rule(condition map[string]any, t reflect.Type) map[string]any {
	return map[string]any{"if": condition, "then": map[string]any{"$ref": ref(t)}}
}

// schemas collects the schemas of structs.
type schemas struct{ defs map[string]any }

func defName(t reflect.Type) string {
	pkg := t.PkgPath()
	return pkg[strings.LastIndexByte(pkg, '/')+1:] + "." + t.Name()
}

func ref(t reflect.Type) string { return "#/$defs/" + defName(t) }

// of is the schema of values of t, whose field has tag. null stands for a field that is not there.
func (s schemas) of(t reflect.Type, tag reflect.StructTag) map[string]any {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if text, ok := reflect.New(t).Interface().(value.Text); ok {
		return textual(map[string]any{"pattern": text.Pattern(), "examples": []string{text.Example()}})
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.object(t)
	case reflect.Map:
		m := map[string]any{"type": []string{"object", "null"}}
		if t.Elem().Kind() != reflect.Interface {
			m["additionalProperties"] = s.of(t.Elem(), tag)
		}
		if keys := tag.Get("keys"); keys != "" {
			m["propertyNames"] = map[string]any{"pattern": check.Pattern(keys)}
		}
		return m
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": item(s.of(t.Elem(), tag))}
	case reflect.Bool:
		return map[string]any{"enum": []any{true, false, nil, "n", "y", "N", "Y", "no", "yes", "off", "on"}}
	case reflect.String:
		return str(tag)
	}
	return integer(t, tag)
}

// item is a schema without null, which is no item of a list.
func item(schema map[string]any) map[string]any {
	if _, isRef := schema["anyOf"]; isRef {
		return schema["anyOf"].([]any)[0].(map[string]any)
	}
	return map[string]any{"allOf": []any{schema, map[string]any{"not": map[string]any{"type": "null"}}}}
}

func (s schemas) object(t reflect.Type) map[string]any {
	if t.Name() == "" { // struct{}
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": false}
	}
	if _, done := s.defs[defName(t)]; !done {
		properties, required := map[string]any{}, []string{}
		def := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
		s.defs[defName(t)] = def
		for _, f := range yamldoc.Fields(t) {
			field := s.of(f.Type, f.Tag)
			if f.Tag.Get("required") != "" {
				required = append(required, f.Name)
			}
			describe(field, f.Tag)
			properties[f.Name] = field
		}
		if len(required) > 0 {
			def["required"] = required
		}
	}
	return map[string]any{"anyOf": []any{map[string]any{"$ref": ref(t)}, map[string]any{"type": "null"}}}
}

// describe adds to the schema of a field what editors show of it.
func describe(schema map[string]any, tag reflect.StructTag) {
	schema["description"] = tag.Get("doc")
	if hint, old := tag.Lookup("old"); old {
		schema["deprecated"] = true
		schema["description"] = tag.Get("doc") + " Out of use: " + hint + "."
	}
}

// textual adds to a schema that the value is text, or any scalar that can be text as it is written.
func textual(schema map[string]any) map[string]any {
	schema["type"] = []string{"string", "number", "boolean", "null"}
	return schema
}

func str(tag reflect.StructTag) map[string]any {
	schema := map[string]any{}
	if enum := tag.Get("enum"); enum != "" {
		words := []any{"", nil}
		for _, w := range strings.Split(enum, "|") {
			words = append(words, w)
		}
		return map[string]any{"enum": words}
	}
	if is := tag.Get("is"); is != "" && !check.IsPEM(is) {
		schema["pattern"] = "^$|" + check.Pattern(is)
		if example := check.Example(is); example != "" {
			schema["examples"] = []string{example}
		}
	}
	return textual(schema)
}

func integer(t reflect.Type, tag reflect.StructTag) map[string]any {
	schema := map[string]any{"type": []string{"integer", "null"}}
	if low, high, ok := check.Range(tag); ok {
		schema["minimum"], schema["maximum"] = min(low, 0), high
	} else if strings.HasPrefix(t.Kind().String(), "uint") {
		schema["minimum"] = 0
	}
	return schema
}
