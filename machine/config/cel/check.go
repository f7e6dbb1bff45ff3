package cel

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// checker gives every node its type, and keeps the first error.
type checker struct {
	env  Env
	err  error
	hint string
}

func (c *checker) fail(n *node, hint, format string, args ...any) Type {
	if c.err == nil {
		c.err, c.hint = errorAt(n.offset, format, args...), hint
	}
	return Bool
}

func (c *checker) check(n *node) Type {
	types := make([]Type, len(n.args))
	for i, arg := range n.args {
		types[i] = c.check(arg)
	}
	if c.err != nil {
		return Bool
	}
	switch n.op {
	case "literal":
		n.typ = typeOf(n.value)
	case "name":
		n.typ = c.name(n)
	case "list":
		n.typ = c.list(n, types)
	case "index":
		elem, isList := strings.CutPrefix(string(types[0]), string(ListOf("")))
		if n.typ = Type(elem); !isList || types[1] != Int {
			return c.fail(n, "", "an index needs a list and an int, not %s and %s", types[0], types[1])
		}
	case "?:":
		if n.typ = types[1]; types[0] != Bool || types[1] != types[2] {
			return c.fail(n, "", "?: needs a bool and two values of one type, not %s, %s and %s", types[0], types[1], types[2])
		}
	default:
		n.typ = c.call(n, types)
	}
	return n.typ
}

func typeOf(v any) Type {
	switch v.(type) {
	case bool:
		return Bool
	case int64:
		return Int
	case uint64:
		return Uint
	case float64:
		return Double
	}
	return String
}

func (c *checker) name(n *node) Type {
	if t, ok := c.env[n.name]; ok {
		return t
	}
	names := slices.Sorted(maps.Keys(c.env))
	hint := ""
	for _, name := range names {
		if strings.HasSuffix(name, "."+n.name) {
			hint = "did you mean " + name + "?"
			break
		}
	}
	if near := report.Nearest(n.name, names); hint == "" && near != "" {
		hint = "did you mean " + near + "?"
	}
	return c.fail(n, hint, "unknown name %.60s", n.name)
}

func (c *checker) list(n *node, types []Type) Type {
	if len(types) == 0 {
		return c.fail(n, "", "a list needs items")
	}
	for i, t := range types {
		if t != types[0] {
			return c.fail(n.args[i], "", "a list of %s has an item of type %s", types[0], t)
		}
	}
	return ListOf(types[0])
}

// signatures are the operators and functions: the types that they take, and the one that they give. T stands for any type,
// the same everywhere in a signature.
func signatures(op string) []string {
	switch op {
	case "||", "&&":
		return []string{"bool bool bool"}
	case "!_":
		return []string{"bool bool"}
	case "-_":
		return []string{"int int", "double double"}
	case "==", "!=":
		return []string{"T T bool"}
	case "<", "<=", ">", ">=":
		return []string{"int int bool", "uint uint bool", "double double bool", "string string bool", "bool bool bool"}
	case "in":
		return []string{"T list-of-T bool"}
	case "+":
		return []string{"int int int", "uint uint uint", "double double double", "string string string"}
	case "-", "*", "/":
		return []string{"int int int", "uint uint uint", "double double double"}
	case "%":
		return []string{"int int int", "uint uint uint"}
	case ".startsWith", ".endsWith", ".contains", ".matches", "matches", "glob":
		return []string{"string string bool"}
	case ".lowerAscii", ".upperAscii":
		return []string{"string string"}
	case "size", ".size":
		return []string{"string int", "list-of-T int"}
	case "int", "uint", "double", "string":
		return []string{"int " + op, "uint " + op, "double " + op, "string " + op}
	}
	return nil
}

func (c *checker) call(n *node, types []Type) Type {
	all := signatures(n.op)
	if all == nil {
		return c.fail(n, "", "unknown function %.60s", strings.TrimPrefix(n.op, "."))
	}
	for _, signature := range all {
		words := strings.Fields(signature)
		if result, ok := apply(words, types); ok {
			return c.pattern(n, result)
		}
	}
	given := make([]string, len(types))
	for i, t := range types {
		given[i] = string(t)
	}
	hint := ""
	if slices.Contains(types, Uint) && slices.Contains(types, Int) {
		hint = "sizes are unsigned: write 10u, not 10"
	}
	return c.fail(n, hint, "%s does not take %s", strings.Trim(n.op, "._"), strings.Join(given, " and "))
}

// apply holds types against a signature.
func apply(signature []string, types []Type) (result Type, ok bool) {
	if len(signature) != len(types)+1 {
		return "", false
	}
	var any Type
	for i, t := range types {
		want := Type(strings.ReplaceAll(signature[i], "-", " "))
		if prefix, generic := strings.CutSuffix(string(want), "T"); generic {
			inner, fits := strings.CutPrefix(string(t), prefix)
			if !fits || any != "" && any != Type(inner) {
				return "", false
			}
			any = Type(inner)
			continue
		}
		if want != t {
			return "", false
		}
	}
	return Type(signature[len(types)]), true
}

// pattern compiles the regular expression of a call of matches, if it is written out.
func (c *checker) pattern(n *node, t Type) Type {
	if last := n.args[len(n.args)-1]; strings.HasSuffix(n.op, "matches") && last.op == "literal" {
		re, err := regexp.Compile(fmt.Sprint(last.value))
		if err != nil {
			return c.fail(last, "", "%v", err)
		}
		n.re = re
	}
	return t
}
