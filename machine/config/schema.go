package config

import (
	"encoding/json"
	"reflect"
	"strings"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/check"
)

// Schema is a JSON Schema (draft 2020-12) of one document of a configuration, made from the types and tags of its fields. It
// takes all that Validate takes, and refuses what Load refuses: unknown fields, values of other types, unknown kinds.
func Schema() []byte {
	s := schemas{defs: map[string]any{}}
	var kinds []any
	for _, k := range Kinds() {
		t := reflect.TypeOf(k.New()).Elem()
		s.of(t, "")
		def := s.defs[defName(t)].(map[string]any)
		properties := def["properties"].(map[string]any)
		if k.Name == MainKind {
			properties["kind"], properties["apiVersion"] = false, false
			kinds = append(kinds, map[string]any{"$ref": ref(t)})
			continue
		}
		names := []string{k.Name}
		if k.Also != "" {
			names = append(names, k.Also)
		}
		properties["kind"] = map[string]any{"enum": names}
		properties["apiVersion"] = map[string]any{"enum": []string{APIVersion}}
		kinds = append(kinds, map[string]any{"$ref": ref(t)})
	}
	out, err := json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema",
		"title":   "A document of a machine configuration",
		"oneOf":   kinds,
		"$defs":   s.defs,
	}, "", "  ")
	if err != nil {
		panic("config: schema: " + err.Error())
	}
	return append(out, '\n')
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
	if text, ok := reflect.New(t).Interface().(interface{ Pattern() string }); ok {
		return textual(map[string]any{"pattern": text.Pattern()})
	}
	switch t.Kind() {
	case reflect.Struct:
		return s.object(t)
	case reflect.Map:
		m := map[string]any{"type": []string{"object", "null"}}
		if t.Elem().Kind() != reflect.Interface {
			m["additionalProperties"] = s.of(t.Elem(), tag)
		}
		if p := check.Pattern(tag.Get("keys")); p != "" {
			m["propertyNames"] = map[string]any{"pattern": p}
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
			if hint, old := f.Tag.Lookup("old"); old {
				field = map[string]any{"allOf": []any{field}, "deprecated": true, "description": hint}
			}
			properties[f.Name] = field
		}
		if len(required) > 0 {
			def["required"] = required
		}
	}
	return map[string]any{"anyOf": []any{map[string]any{"$ref": ref(t)}, map[string]any{"type": "null"}}}
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
	if p := check.Pattern(tag.Get("is")); p != "" && tag.Get("is") != "token" {
		schema["pattern"] = "^$|" + p
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
