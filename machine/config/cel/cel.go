// Package cel compiles and evaluates the part of the Common Expression Language (CEL, github.com/google/cel-spec) that
// selectors of disks and volumes are written in: literals, variables with fields, lists, ?:, logic, comparison, in,
// arithmetic, and the functions startsWith, endsWith, contains, matches, size, lowerAscii, upperAscii, glob and the
// conversions between types.
//
// Types are checked before anything runs, and as in CEL numbers of different types do not mix: 10 is an int, 10u a uint.
// Left out are maps, messages, bytes, timestamps, dyn and the macros (has, all, exists, map, filter). What an expression may
// cost is bounded by its length and by the length of what it makes; it cannot loop.
package cel

import (
	"fmt"

	"github.com/bootwright/bootwright/internal/report"
)

// Type is the type of a value.
type Type string

// The types, and what they are in Go.
const (
	Bool   Type = "bool"   // bool
	Int    Type = "int"    // int64
	Uint   Type = "uint"   // uint64
	Double Type = "double" // float64
	String Type = "string" // string
	list   Type = "list"   // []any; followed by its elements' type
)

// ListOf is the type of lists of t.
func ListOf(t Type) Type { return list + " of " + t }

// Env names the variables that an expression may use; those with a dot, such as disk.size, are fields.
type Env map[string]Type

// Values are what variables are worth. One that is not there is unknown: an expression that needs it fails.
type Values map[string]any

// The limits of an expression.
const (
	maxLength = 4096 // bytes
	maxDepth  = 64   // parentheses, operators and calls in each other
	maxValue  = 1 << 16
)

// Program is a compiled expression.
type Program struct {
	root *node
	typ  Type
}

// Error is what is wrong with an expression, at an offset in it.
type Error struct {
	Offset  int // bytes
	Message string
}

func (e *Error) Error() string { return e.Message }

// Compile parses an expression and checks its types. The error is Invalid and holds an Error.
func Compile(text string, env Env) (*Program, error) {
	root, err := parse(text)
	if err != nil {
		return nil, &report.Error{Kind: report.Invalid, Err: err}
	}
	c := checker{env: env}
	t := c.check(root)
	if c.err != nil {
		return nil, &report.Error{Kind: report.Invalid, Hint: c.hint, Err: c.err}
	}
	return &Program{root, t}, nil
}

// Type is the type of the expression's value.
func (p *Program) Type() Type { return p.typ }

// Match evaluates an expression of type Bool.
func (p *Program) Match(values Values) (bool, error) {
	if p.typ != Bool {
		return false, report.Errorf(report.Invalid, "the expression is of type %s, not bool", p.typ)
	}
	v, err := p.Eval(values)
	if err != nil {
		return false, err
	}
	return v.(bool), nil
}

// Eval evaluates an expression. It fails where a variable is unknown, a number overflows or is divided by zero, an index is
// out of range, or a text gets too long.
func (p *Program) Eval(values Values) (any, error) {
	v, err := eval(p.root, values)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "%w", err)
	}
	return v, nil
}

func errorAt(offset int, format string, args ...any) *Error {
	return &Error{offset, fmt.Sprintf(format, args...)}
}
