// Package semver compares versions (Semantic Versioning 2.0.0) with ranges such as ">= v1.9.0 < v1.11.0 || 2.x", which is
// how the manifest of an extension says where it works.
//
// A range is alternatives joined by "||"; an alternative is conditions, all of which must hold, joined by spaces, commas
// or "&&"; a condition is =, ==, !=, !, <, <=, > or >= and a version, = where it is left out. A version may begin with
// "v". Parts at its end that are left out or "x" stand for any: "> 1.9" begins at 1.10.0, and "1.x" is every 1.
//
// Left out: ~ and ^, hyphens between versions, and parentheses.
package semver

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Version is a version without its pre-release and build: major, minor, patch.
type Version [3]uint64

// Parse reads a whole version such as "v1.9.0-beta.1+build". What follows the patch is checked, and dropped: a
// pre-release has the interfaces of what it leads to.
func Parse(s string) (Version, error) {
	p, err := parsePartial(s)
	if err == nil && p.parts < 3 {
		err = report.Errorf(report.Invalid, "%q is not a version: write all three numbers, such as v1.9.0", s)
	}
	return p.version, err
}

// partial is a version that may end early, as conditions have it.
type partial struct {
	version    Version
	parts      int // how many numbers are given
	prerelease bool
}

func parsePartial(s string) (partial, error) {
	var p partial
	bad := report.Errorf(report.Invalid, "%.100q is not a version such as v1.9.0", s)
	core, build, hasBuild := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, pre, hasPre := strings.Cut(core, "-")
	if hasBuild && !identifiers(build) || hasPre && !identifiers(pre) {
		return p, bad
	}
	p.prerelease = hasPre
	numbers := strings.Split(core, ".")
	if len(numbers) > len(p.version) {
		return p, bad
	}
	for i, n := range numbers {
		if n == "x" || n == "X" || n == "*" {
			continue
		}
		v, err := strconv.ParseUint(n, 10, 63)
		if err != nil || p.parts < i || strings.HasPrefix(n, "+") || len(n) > 1 && n[0] == '0' {
			return p, bad
		}
		p.version[i], p.parts = v, i+1
	}
	if (hasPre || hasBuild) && p.parts < 3 {
		return p, bad
	}
	return p, nil
}

// identifiers tells whether s is identifiers with dots between them.
func identifiers(s string) bool {
	for id := range strings.SplitSeq(s, ".") {
		if id == "" || strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			return false
		}
	}
	return true
}

// Range is a set of versions. The zero value holds none.
type Range struct{ alternatives [][]condition }

type condition struct {
	op string
	partial
}

// ParseRange reads a range; see the package for its grammar.
func ParseRange(s string) (Range, error) {
	var r Range
	for alternative := range strings.SplitSeq(s, "||") {
		conditions, err := parseConditions(alternative)
		if err != nil {
			return Range{}, report.Errorf(report.Invalid, "version range %.200q: %w", s, err)
		}
		r.alternatives = append(r.alternatives, conditions)
	}
	return r, nil
}

func parseConditions(s string) ([]condition, error) {
	var out []condition
	op := ""
	for _, word := range strings.Fields(strings.NewReplacer("&&", " ", ",", " ").Replace(s)) {
		rest := strings.TrimLeft(word, "=!<>")
		op += word[:len(word)-len(rest)]
		if rest == "" { // the version comes after a space
			continue
		}
		c := condition{op: op}
		var err error
		if c.partial, err = parsePartial(rest); err != nil {
			return nil, err
		}
		switch op {
		case "", "==":
			c.op = "="
		case "!":
			c.op = "!="
		case "=", "!=", "<", "<=", ">", ">=":
		default:
			return nil, report.Errorf(report.Invalid, "no comparison is written %q", op)
		}
		out, op = append(out, c), ""
	}
	if op != "" || len(out) == 0 {
		return nil, report.Errorf(report.Invalid, "a version is missing")
	}
	return out, nil
}

// Has reports whether v is in the range. As v counts as released, it comes after every pre-release of the same numbers.
func (r Range) Has(v Version) bool {
	for _, conditions := range r.alternatives {
		all := true
		for _, c := range conditions {
			all = all && c.holds(v)
		}
		if all {
			return true
		}
	}
	return false
}

func (c condition) holds(v Version) bool {
	order := 0
	for i := range c.parts {
		order = cmp.Or(order, cmp.Compare(v[i], c.version[i]))
	}
	if c.prerelease {
		order = cmp.Or(order, 1)
	}
	switch c.op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}
