package profiles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// TestSchemaAgrees gives the same documents to the schema and to Load: both take them or both refuse them.
func TestSchemaAgrees(t *testing.T) {
	t.Parallel()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("profile.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("profile.json")
	if err != nil {
		t.Fatal(err)
	}
	agree := func(text string, want bool) {
		t.Helper()
		var v any
		if err := yaml.Load([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		bySchema, byLoad := compiled.Validate(plain(v)), error(nil)
		_, byLoad = Load("my.yaml", []byte(text))
		if (bySchema == nil) != want || (byLoad == nil) != want {
			t.Errorf("%s\nwant accepted: %v\nschema: %v\nLoad: %v", text, want, bySchema, byLoad)
		}
	}
	for _, name := range Names() {
		text, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		agree(string(text), true)
	}
	for _, text := range []string{
		"arch: arm64", "arch: ~", "customization:", "input: {kernel: {path: a}, sdStub: ~}", "epoch: 1700000000",
		"epoch: 2026-01-31T12:00:00Z", "epoch: \"2026-01-31T00:00:00+01:00\"", "epoch: \"1700000000\"", "epoch: 315532800",
		"customization: {extraKernelArgs: [a, -b, c=d, -e=f, 'g=h i', 'j=\"k l\"', m=, 'n=\"\"', o==p, a-b=-c]}",
		"customization: {metaContents: [{key: 0xff, value: a}, {key: 1}]}", "output: {isoOptions: {label: A_1}}",
		"customization: {machineConfig: {path: a, patches: ['@b'], dir: c, embed: initramfs, room: 65537}}",
		"customization: {machineConfig: {inline: \"version: v1alpha1\\n\", embed: ~, room: 0}}",
		"output: {pxeOptions: {baseURL: 'http://${next-server}/x'}}", "base: oci:/srv/My Bases/über",
		"input: {systemExtensions: [{imageRef: r.example/a:1}, {tarballPath: a b.tar}, {ociPath: c}], extensionRules: {talosVersion: v1.9.0, signedModules: true, mayReplace: [/a/*], maxBytes: 1, maxFiles: 9}}",
		"input: {systemExtensions: ~, extensionRules: {talosVersion: ~, signedModules: ~, mayReplace: ~}}", "version: v1.2.3-rc.1+x~y",
		"baseProfileName: iso", "baseProfileName: ./site.yaml", "baseProfileName: oci:profiles:v1", "baseProfileName: ~",
	} {
		agree(text, true)
	}
	for _, text := range []string{
		"arhc: arm64", "baseProfileName: isoo", "baseProfileName: \"./a\\nb\"", "baseProfileName: [iso]", "arch: [arm64]", "arch: x86", "arch: 5", "platform: metall", "platform: true", "version: 1.10", "version: a b",
		"version: " + strings.Repeat("a", 65), "base: [a]", "base: \"a\\nb\"", "epoch: 0", "epoch: 4294967296", "epoch: now",
		"epoch: 2026-01-31", "epoch: 1.5", "epoch: [1]", "customization: []", "customization: {extraKernelArgs: a}",
		"customization: {extraKernelArgs: [~]}", "customization: {extraKernelArgs: [5]}", "customization: {extraKernelArgs: [a b]}",
		"customization: {extraKernelArgs: ['']}", "customization: {extraKernelArgs: ['-']}", "customization: {extraKernelArgs: [--a]}",
		"customization: {extraKernelArgs: ['=a']}", "customization: {extraKernelArgs: ['a=\"']}", "customization: {extraKernelArgs: ['a=b\"c\"']}",
		"customization: {extraKernelArgs: [ä]}", "customization: {extraKernelArgs: ['\"a=b\"']}",
		"customization: {metaContents: [{key: 0, value: a}]}", "customization: {metaContents: [{key: 256, value: a}]}",
		"customization: {metaContents: [{key: a, value: a}]}", "customization: {metaContents: [{value: a}]}",
		"customization: {metaContents: [{key: 1, value: a;b}]}", "customization: {metaContents: [{key: 1, value: 5}]}",
		"customization: {metaContents: [{key: 1, vlaue: a}]}", "input: {kernel: vmlinuz}", "input: {kernel: {path: [a]}}",
		"customization: {machineConfig: a.yaml}", "customization: {machineConfig: {inline: {version: v1alpha1}}}",
		"customization: {machineConfig: {embed: iso}}", "customization: {machineConfig: {room: -1}}",
		"customization: {machineConfig: {room: 33554433}}", "customization: {machineConfig: {patches: a}}",
		"input: {initramfs: {path: a}}", "input: {systemExtensions: [a]}", "input: {systemExtensions: [{}]}", "input: {systemExtensions: {imageRef: a}}",
		"input: {systemExtensions: [{imageRef: a, ociPath: b}]}", "input: {systemExtensions: [{imageRef: \"a\\nb\"}]}", "input: {systemExtensions: [{image: a}]}",
		"input: {extensionRules: {mayReplace: [a]}}", "input: {extensionRules: {maxFiles: -1}}", "input: {extensionRules: {maxBytes: 1.5}}", "input: {extensionRules: {signedModules: 1}}", "output: iso", "output: {kind: disk}", "output: {kind: iso, outFormat: xz}",
		"output: {isoOptions: {label: a b}}", "output: {isoOptions: {label: " + strings.Repeat("A", 33) + "}}",
		"output: {isoOptions: []}", "output: {pxeOptions: {baseURL: /x}}", "output: {pxeOptions: {baseURL: 'http://a b'}}",
		"secureboot: true", "- arch: amd64",
	} {
		agree(text, false)
	}
}

// plain turns what YAML has and JSON has not into JSON's values.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case time.Time:
		if v.Equal(v.Truncate(24*time.Hour)) && v.Hour() == 0 {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339)
	}
	return v
}

// TestSchemaIsComplete holds every field and every list of words in the schema against the Go side.
func TestSchemaIsComplete(t *testing.T) {
	t.Parallel()
	type node struct {
		Ref        string           `json:"$ref"`
		Properties map[string]*node `json:"properties"`
		Items      *node            `json:"items"`
		Enum       []any            `json:"enum"`
		AnyOf      []node           `json:"anyOf"`
		Defs       map[string]*node `json:"$defs"`
	}
	var root node
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var compare func(path string, n *node, typ reflect.Type)
	compare = func(path string, n *node, typ reflect.Type) {
		if n.Ref != "" {
			n = root.Defs[strings.TrimPrefix(n.Ref, "#/$defs/")]
		}
		if typ.Kind() == reflect.Slice {
			n, typ = n.Items, typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		var fields []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			if !f.IsExported() {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if jsonName, _, _ := strings.Cut(f.Tag.Get("json"), ","); jsonName != name {
				t.Errorf("%s.%s is %s in YAML and %s in JSON", path, f.Name, name, jsonName)
			}
			fields = append(fields, name)
			if n.Properties[name] == nil {
				t.Errorf("the schema lacks %s.%s", path, name)
				continue
			}
			compare(path+"."+name, n.Properties[name], f.Type)
		}
		if len(fields) != len(n.Properties) {
			t.Errorf("%s: the schema has %d fields, the struct %v", path, len(n.Properties), fields)
		}
	}
	compare("", &root, reflect.TypeFor[Profile]())

	for field, words := range map[string][]string{"baseProfileName": Names(), "arch": Arches(), "platform": Platforms()} {
		n := root.Properties[field]
		if n.AnyOf != nil {
			n = &n.AnyOf[0] // the others are no words
		}
		if got := n.Enum; fmt.Sprint(got) != fmt.Sprint(append(anys(words), nil)) {
			t.Errorf("%s: the schema has %v, want %v and null", field, got, words)
		}
	}
	if got := root.Properties["output"].Properties["kind"].Enum; fmt.Sprint(got) != fmt.Sprint(append(anys(Kinds()), nil)) {
		t.Errorf("kind: the schema has %v, want %v and null", got, Kinds())
	}
}

func anys(words []string) []any {
	return slices.Collect(func(yield func(any) bool) {
		for _, w := range words {
			if !yield(w) {
				return
			}
		}
	})
}
