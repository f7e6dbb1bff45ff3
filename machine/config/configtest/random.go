// Package configtest makes random machine configurations for tests: well formed, with fields of the right types, but with
// no more sense than chance gives them.
package configtest

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
)

// Config is a random configuration with a main document, the same for the same r. One in wrong fields has a value that its
// type does not take; 0 is none.
func Config(r *rand.Rand, wrong int) []byte {
	g := generator{r, wrong}
	var texts [][]byte
	for _, k := range config.Kinds() {
		for i := range r.IntN(3) + 1 {
			if k.Name != config.MainKind && (!k.Named && i > 0 || r.IntN(3) == 0) || k.Name == config.MainKind && i > 0 {
				continue
			}
			n := g.node(reflect.TypeOf(k.New()).Elem(), "", 0)
			header(n, k, i)
			texts = append(texts, config.Encode(n))
		}
	}
	return config.Join(texts...)
}

// header overwrites the fields that tell documents apart.
func header(n *yaml.Node, k config.Kind, i int) {
	fields := map[string]string{"version": config.APIVersion}
	if k.Name != config.MainKind {
		fields = map[string]string{"apiVersion": config.APIVersion, "kind": k.Name}
		if k.Named {
			fields["name"] = fmt.Sprintf("name%d", i)
		}
	}
	for j := 0; j < len(n.Content); j += 2 {
		if _, ours := fields[n.Content[j].Value]; ours {
			n.Content = append(n.Content[:j], n.Content[j+2:]...)
			j -= 2
		}
	}
	for _, key := range []string{"name", "kind", "apiVersion", "version"} {
		if value, ok := fields[key]; ok {
			n.Content = append([]*yaml.Node{scalar("!!str", key), scalar("!!str", value)}, n.Content...)
		}
	}
}

type generator struct {
	*rand.Rand
	wrong int
}

// node is a random value of type t, whose field has tag.
func (g generator) node(t reflect.Type, tag reflect.StructTag, depth int) *yaml.Node {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if g.wrong > 0 && g.IntN(g.wrong) == 0 {
		return g.anything(1)
	}
	if _, ok := reflect.PointerTo(t).MethodByName("UnmarshalText"); ok {
		return scalar("!!str", g.pick(map[string][]string{
			"Duration": {"2m", "1h30m", "0"}, "Size": {"1073741824", "2GB", "1.5 GiB"}, "SizeMatch": {"4GB", ">= 1TB"}, "Ports": {"80", "1-1024"},
		}[t.Name()]))
	}
	switch t.Kind() {
	case reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, f := range yamldoc.Fields(t) {
			if g.IntN(4) == 0 || f.Tag.Get("required") != "" {
				n.Content = append(n.Content, scalar("!!str", f.Name), g.node(f.Type, f.Tag, depth+1))
			}
		}
		return n
	case reflect.Map:
		if t.Elem().Kind() == reflect.Interface {
			return g.mapping(3, func() *yaml.Node { return g.anything(3) })
		}
		return g.mapping(3, func() *yaml.Node { return g.node(t.Elem(), tag, depth+1) })
	case reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for range g.IntN(4) {
			n.Content = append(n.Content, g.node(t.Elem(), tag, depth+1))
		}
		return n
	case reflect.Bool:
		return scalar("!!bool", g.pick([]string{"true", "false"}))
	case reflect.String:
		if enum := tag.Get("enum"); enum != "" {
			return scalar("!!str", g.pick(strings.Split(enum, "|")))
		}
		if is := tag.Get("is"); is != "" && !check.IsPEM(is) && g.IntN(3) > 0 {
			return scalar("!!str", check.Example(is))
		}
		return scalar("!!str", g.pick([]string{"a", "", "10.0.0.1", "10.0.0.0/8", "x: y # z", "1", "eth0", "two\nlines\n", "ä", "true", "~"}))
	}
	return scalar("!!int", fmt.Sprint(g.IntN(200)))
}

// anything is a random value of no type, nested up to depth levels.
func (g generator) anything(depth int) *yaml.Node {
	switch n := g.IntN(8); {
	case n == 0 && depth > 0:
		return g.mapping(3, func() *yaml.Node { return g.anything(depth - 1) })
	case n == 1 && depth > 0:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for range g.IntN(3) {
			list.Content = append(list.Content, g.anything(depth-1))
		}
		return list
	case n == 2:
		return scalar("!!int", fmt.Sprint(g.IntN(1000)-500))
	case n == 3:
		return scalar("!!bool", "true")
	case n == 4:
		return scalar("!!float", "1.5")
	}
	return scalar("!!str", g.pick([]string{"a", "b c", "", "[", "10"}))
}

func (g generator) mapping(most int, value func() *yaml.Node) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	for i, key := range []string{"a", "b.c", "d/e"} {
		if i < most && g.IntN(2) == 0 {
			n.Content = append(n.Content, scalar("!!str", key), value())
		}
	}
	return n
}

func (g generator) pick(from []string) string { return from[g.IntN(len(from))] }

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}
