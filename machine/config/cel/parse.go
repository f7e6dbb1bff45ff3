package cel

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// node is a part of an expression. op is literal, name, list, index, ?:, an operator, or the name of a function.
type node struct {
	op     string
	offset int
	args   []*node
	value  any    // of a literal
	name   string // of a variable
	typ    Type   // after checking
	re     *regexp.Regexp
}

// token is a piece of text; kind is the text itself for operators.
type token struct {
	kind   string
	text   string
	offset int
}

var lexemes = regexp.MustCompile(`^(?:` +
	`(?P<space>[ \t\r\n]+|//[^\n]*)|` +
	`(?P<number>0x[0-9a-fA-F]+u?|[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?[uU]?|\.[0-9]+)|` +
	`(?P<string>[rR]?(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|` +
	`(?P<name>[A-Za-z_][A-Za-z0-9_]*)|` +
	`(?P<op>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()\[\]]))`)

// lex cuts an expression into tokens, the last of them of kind end.
func lex(text string) ([]token, *Error) {
	if len(text) > maxLength {
		return nil, errorAt(0, "the expression is longer than %d bytes", maxLength)
	}
	var tokens []token
	names := lexemes.SubexpNames()
	for offset := 0; offset < len(text); {
		m := lexemes.FindStringSubmatch(text[offset:])
		if m == nil {
			r, _ := utf8.DecodeRuneInString(text[offset:])
			return nil, errorAt(offset, "%q fits nowhere", r)
		}
		i := slices.IndexFunc(m[1:], func(s string) bool { return s != "" }) + 1
		kind := names[i]
		if kind == "op" || kind == "name" && m[0] == "in" {
			kind = m[0]
		}
		if kind != "space" {
			tokens = append(tokens, token{kind, m[0], offset})
		}
		offset += len(m[0])
	}
	return append(tokens, token{"end", "", len(text)}), nil
}

type parser struct {
	tokens []token
	depth  int
	err    *Error
}

func parse(text string) (*node, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	n := p.ternary()
	if p.err == nil && p.tokens[0].kind != "end" {
		p.fail("%s is not expected here", p.tokens[0].text)
	}
	if p.err != nil {
		return nil, p.err
	}
	return n, nil
}

// fail keeps the first error and lets the parser run into the end.
func (p *parser) fail(format string, args ...any) *node {
	if p.err == nil {
		p.err = errorAt(p.tokens[0].offset, format, args...)
	}
	p.tokens = p.tokens[len(p.tokens)-1:]
	return &node{op: "literal", value: false}
}

func (p *parser) next() token {
	t := p.tokens[0]
	if t.kind != "end" {
		p.tokens = p.tokens[1:]
	}
	return t
}

func (p *parser) accept(kind string) bool {
	ok := p.tokens[0].kind == kind
	if ok {
		p.next()
	}
	return ok
}

func (p *parser) expect(kind string) {
	if !p.accept(kind) {
		p.fail("%s is missing", kind)
	}
}

// deeper counts how deep expressions are in each other.
func (p *parser) deeper() func() {
	if p.depth++; p.depth > maxDepth {
		p.fail("more than %d levels deep", maxDepth)
	}
	return func() { p.depth-- }
}

func (p *parser) ternary() *node {
	defer p.deeper()()
	n := p.binary(0)
	if at := p.tokens[0].offset; p.accept("?") {
		yes := p.binary(0)
		p.expect(":")
		return &node{op: "?:", offset: at, args: []*node{n, yes, p.ternary()}}
	}
	return n
}

// binary parses operators of a level and those that bind closer.
func (p *parser) binary(level int) *node {
	levels := [][]string{{"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"*", "/", "%"}}
	if level == len(levels) {
		return p.unary()
	}
	n := p.binary(level + 1)
	for count := 0; slices.Contains(levels[level], p.tokens[0].kind); count++ {
		if count > maxDepth*4 {
			return p.fail("too many operators in a row")
		}
		t := p.next()
		n = &node{op: t.kind, offset: t.offset, args: []*node{n, p.binary(level + 1)}}
	}
	return n
}

func (p *parser) unary() *node {
	t := p.tokens[0]
	if t.kind != "!" && t.kind != "-" {
		return p.member()
	}
	defer p.deeper()()
	p.next()
	if t.kind == "-" && p.tokens[0].text == "9223372036854775808" { // which has no positive counterpart
		p.next()
		return &node{op: "literal", offset: t.offset, value: int64(-1 << 63)}
	}
	return &node{op: t.kind + "_", offset: t.offset, args: []*node{p.unary()}}
}

// member parses what follows a value: fields, calls on it, and indexes.
func (p *parser) member() *node {
	n := p.primary()
	for count := 0; ; count++ {
		t := p.tokens[0]
		switch {
		case count > maxDepth:
			return p.fail("too many fields and indexes in a row")
		case p.accept("["):
			n = &node{op: "index", offset: t.offset, args: []*node{n, p.ternary()}}
			p.expect("]")
		case p.accept("."):
			name := p.next()
			if name.kind != "name" {
				return p.fail("a name is missing after the dot")
			}
			switch {
			case p.accept("("):
				n = &node{op: "." + name.text, offset: name.offset, args: append([]*node{n}, p.list(")")...)}
			case n.op == "name":
				n = &node{op: "name", offset: n.offset, name: n.name + "." + name.text}
			default:
				return p.fail("only variables have fields")
			}
		default:
			return n
		}
	}
}

func (p *parser) primary() *node {
	t := p.next()
	switch t.kind {
	case "(":
		n := p.ternary()
		p.expect(")")
		return n
	case "[":
		return &node{op: "list", offset: t.offset, args: p.list("]")}
	case "number":
		return p.number(t)
	case "string":
		return p.text(t)
	case "name":
		switch {
		case t.text == "true" || t.text == "false":
			return &node{op: "literal", offset: t.offset, value: t.text == "true"}
		case p.accept("("):
			return &node{op: t.text, offset: t.offset, args: p.list(")")}
		}
		return &node{op: "name", offset: t.offset, name: t.text}
	}
	p.tokens = append([]token{t}, p.tokens...)
	if t.kind == "end" {
		return p.fail("a value is missing")
	}
	return p.fail("found %s, want a value", t.text)
}

// list parses values with commas between them, up to end.
func (p *parser) list(end string) []*node {
	var nodes []*node
	for !p.accept(end) {
		if len(nodes) > 0 {
			p.expect(",")
		}
		nodes = append(nodes, p.ternary())
		if p.err != nil {
			return nil
		}
	}
	return nodes
}

func (p *parser) number(t token) *node {
	var value any
	var err error
	digits := strings.TrimRight(t.text, "uU")
	switch {
	case digits != t.text:
		value, err = strconv.ParseUint(digits, 0, 64)
	case strings.ContainsAny(t.text, ".eE") && !strings.HasPrefix(t.text, "0x"):
		value, err = strconv.ParseFloat(t.text, 64)
	default:
		value, err = strconv.ParseInt(t.text, 0, 64)
	}
	if err != nil {
		p.tokens = append([]token{t}, p.tokens...)
		return p.fail("%s is not a number, or too big", t.text)
	}
	return &node{op: "literal", offset: t.offset, value: value}
}

func (p *parser) text(t token) *node {
	raw := strings.TrimLeft(t.text, "rR")
	inner := raw[1 : len(raw)-1]
	if raw == t.text && strings.Contains(inner, `\`) {
		if raw[0] == '\'' {
			inner = strings.ReplaceAll(strings.ReplaceAll(inner, `\'`, `'`), `"`, `\"`)
			inner = strings.ReplaceAll(inner, `\\"`, `\"`)
		}
		s, err := strconv.Unquote(`"` + inner + `"`)
		if err != nil {
			p.tokens = append([]token{t}, p.tokens...)
			return p.fail("%s has an escape that is not known", t.text)
		}
		inner = s
	}
	return &node{op: "literal", offset: t.offset, value: inner}
}
