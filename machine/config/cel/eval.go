package cel

import (
	"cmp"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// eval is the value of a checked node.
func eval(n *node, values Values) (any, error) {
	switch n.op {
	case "literal":
		return n.value, nil
	case "name":
		v, ok := values[n.name]
		if !ok {
			return nil, errorAt(n.offset, "%s is not known", n.name)
		}
		return v, nil
	case "||", "&&":
		return logic(n, values)
	case "?:":
		v, err := eval(n.args[0], values)
		if err != nil {
			return nil, err
		}
		if v.(bool) {
			return eval(n.args[1], values)
		}
		return eval(n.args[2], values)
	}
	args := make([]any, len(n.args))
	for i, arg := range n.args {
		v, err := eval(arg, values)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return call(n, args)
}

// logic is || and &&: where one side decides, an error of the other does not matter.
func logic(n *node, values Values) (any, error) {
	decides := n.op == "||"
	a, err1 := eval(n.args[0], values)
	if err1 == nil && a.(bool) == decides {
		return decides, nil
	}
	b, err2 := eval(n.args[1], values)
	if err2 == nil && b.(bool) == decides {
		return decides, nil
	}
	return !decides, cmp.Or(err1, err2)
}

func call(n *node, args []any) (any, error) {
	switch n.op {
	case "list":
		return args, nil
	case "index":
		items, i := args[0].([]any), args[1].(int64)
		if i < 0 || i >= int64(len(items)) {
			return nil, errorAt(n.offset, "the index %d is out of range", i)
		}
		return items[i], nil
	case "in":
		return slices.ContainsFunc(args[1].([]any), func(v any) bool { return reflect.DeepEqual(v, args[0]) }), nil
	case "==":
		return reflect.DeepEqual(args[0], args[1]), nil
	case "!=":
		return !reflect.DeepEqual(args[0], args[1]), nil
	case "<", "<=", ">", ">=":
		return compare(n.op, args[0], args[1]), nil
	case "!_":
		return !args[0].(bool), nil
	case "size", ".size":
		if items, ok := args[0].([]any); ok {
			return int64(len(items)), nil
		}
		return int64(len([]rune(args[0].(string)))), nil
	case "int", "uint", "double", "string":
		return convert(n, args[0])
	}
	switch a := args[0].(type) {
	case string:
		return text(n, a, args)
	case int64:
		return signed(n, a, args)
	case uint64:
		return unsigned(n, a, args[1].(uint64))
	}
	return floating(n, args), nil
}

func compare(op string, a, b any) bool {
	var c int
	switch a := a.(type) {
	case int64:
		c = cmp.Compare(a, b.(int64))
	case uint64:
		c = cmp.Compare(a, b.(uint64))
	case string:
		c = cmp.Compare(a, b.(string))
	case bool:
		c = cmp.Compare(strconv.FormatBool(a), strconv.FormatBool(b.(bool)))
	case float64:
		if b := b.(float64); math.IsNaN(a) || math.IsNaN(b) {
			return false
		}
		c = cmp.Compare(a, b.(float64))
	}
	return op[0] == '<' && c < 0 || op[0] == '>' && c > 0 || len(op) == 2 && c == 0
}

func text(n *node, a string, args []any) (any, error) {
	b := ""
	if len(args) == 2 {
		b = args[1].(string)
	}
	switch n.op {
	case "+":
		if len(a)+len(b) > maxValue {
			return nil, errorAt(n.offset, "the text becomes longer than %d bytes", maxValue)
		}
		return a + b, nil
	case ".startsWith":
		return strings.HasPrefix(a, b), nil
	case ".endsWith":
		return strings.HasSuffix(a, b), nil
	case ".contains":
		return strings.Contains(a, b), nil
	case "glob":
		return Glob(a, b), nil
	case ".lowerAscii":
		return strings.Map(func(r rune) rune { return swapCase(r, 'A', 'Z', 'a'-'A') }, a), nil
	case ".upperAscii":
		return strings.Map(func(r rune) rune { return swapCase(r, 'a', 'z', 'A'-'a') }, a), nil
	}
	re := n.re
	if re == nil {
		var err error
		if re, err = regexp.Compile(b); err != nil || len(b) > maxLength {
			return nil, errorAt(n.offset, "%.60q is not a regular expression", b)
		}
	}
	return re.MatchString(a), nil
}

func swapCase(r, first, last, by rune) rune {
	if r >= first && r <= last {
		return r + by
	}
	return r
}

func signed(n *node, a int64, args []any) (any, error) {
	if n.op == "-_" {
		if a == math.MinInt64 {
			return nil, errorAt(n.offset, "the number overflows")
		}
		return -a, nil
	}
	b := args[1].(int64)
	var r int64
	ok := true
	switch n.op {
	case "+":
		r = a + b
		ok = (r > a) == (b > 0)
	case "-":
		r = a - b
		ok = (r < a) == (b > 0)
	case "*":
		r = a * b
		ok = a == 0 || r/a == b && (a != -1 || b != math.MinInt64)
	case "/", "%":
		switch {
		case b == 0:
			return nil, errorAt(n.offset, "a division by zero")
		case a == math.MinInt64 && b == -1:
			ok = false
		case n.op == "/":
			r = a / b
		default:
			r = a % b
		}
	}
	if !ok {
		return nil, errorAt(n.offset, "the number overflows")
	}
	return r, nil
}

func unsigned(n *node, a, b uint64) (any, error) {
	var r uint64
	ok := true
	switch n.op {
	case "+":
		r = a + b
		ok = r >= a
	case "-":
		r = a - b
		ok = a >= b
	case "*":
		r = a * b
		ok = a == 0 || r/a == b
	default:
		if b == 0 {
			return nil, errorAt(n.offset, "a division by zero")
		}
		if r = a / b; n.op == "%" {
			r = a % b
		}
	}
	if !ok {
		return nil, errorAt(n.offset, "the number overflows")
	}
	return r, nil
}

func floating(n *node, args []any) any {
	a := args[0].(float64)
	if n.op == "-_" {
		return -a
	}
	b := args[1].(float64)
	switch n.op {
	case "+":
		return a + b
	case "-":
		return a - b
	case "*":
		return a * b
	}
	return a / b
}

// convert is int(), uint(), double() and string().
func convert(n *node, v any) (any, error) {
	s := ""
	switch v := v.(type) {
	case string:
		s = v
	case int64:
		s = strconv.FormatInt(v, 10)
	case uint64:
		s = strconv.FormatUint(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
		if n.op == "int" || n.op == "uint" {
			s = strconv.FormatFloat(math.Trunc(v), 'f', 0, 64)
		}
	}
	var out any = s
	var err error
	switch n.op {
	case "int":
		out, err = strconv.ParseInt(s, 10, 64)
	case "uint":
		out, err = strconv.ParseUint(s, 10, 64)
	case "double":
		out, err = strconv.ParseFloat(s, 64)
	}
	if err != nil {
		return nil, errorAt(n.offset, "%.60q is not of type %s", s, n.op)
	}
	return out, nil
}

// Glob matches s against a pattern in which * stands for anything and ? for one character.
func Glob(pattern, s string) bool {
	p, t := []rune(pattern), []rune(s)
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(string(p[i:]), "*") == ""
}
