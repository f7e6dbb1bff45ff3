// Package value holds the scalars of machine configuration documents that have a notation of their own: durations, sizes,
// conditions on sizes, and ranges of ports.
//
// Each type keeps to its Pattern, an ECMA 262 regular expression that JSON Schema uses too, and the zero value stands for a
// field that is not there.
package value

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Text is what all these types are: their notation, and text in it.
type Text interface {
	Pattern() string
	Example() string
}

// Duration is a time span as Go writes it: 90s, 2m, 1h30m.
type Duration time.Duration

// Pattern of a duration.
func (Duration) Pattern() string { return `^(0|([0-9]{1,6}(\.[0-9]{1,9})?(ns|us|µs|ms|s|m|h))+)$` }

// Example is a duration.
func (Duration) Example() string { return "1h30m" }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || !matches(d.Pattern(), text) {
		return fmt.Errorf("%.60q is not a duration, such as 90s, 2m or 1h30m", text)
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, written plainly or with a unit: 1073741824, 2GB (decimal), 1.5GiB (binary).
type Size uint64

// Pattern of a size. A unit alone, such as M, is decimal.
func (Size) Pattern() string {
	return `^[0-9]{1,18}(\.[0-9]{1,9})? ?([kKmMgGtT][iI]?[bB]?|[bB])?$`
}

// Example is a size.
func (Size) Example() string { return "2GiB" }

// UnmarshalText reads a size. A fraction of a byte is cut off.
func (s *Size) UnmarshalText(text []byte) error {
	if !matches(s.Pattern(), text) {
		return fmt.Errorf("%.60q is not a size, such as 100MB or 2GiB", text)
	}
	number := strings.TrimRight(string(text), "kKmMgGtTiIbB ")
	unit := strings.ToLower(strings.TrimSpace(string(text[len(number):])))
	r, ok := new(big.Rat).SetString(number)
	if !ok {
		return fmt.Errorf("%.60q is not a size", text)
	}
	base := int64(1000)
	if strings.Contains(unit, "i") {
		base = 1024
	}
	if unit != "" {
		for range strings.IndexByte("bkmgt", unit[0]) {
			r.Mul(r, new(big.Rat).SetInt64(base))
		}
	}
	n := new(big.Int).Quo(r.Num(), r.Denom())
	if !n.IsUint64() {
		return fmt.Errorf("%.60q is more than 16 EiB", text)
	}
	*s = Size(n.Uint64())
	return nil
}

// SizeMatch is a condition on the size of a disk: 4GB (about that much), or one of ==, <, <=, > and >= before a size.
type SizeMatch struct {
	Op   string // "" where none is written
	Size Size
}

// Pattern of a condition.
func (SizeMatch) Pattern() string { return `^(==|<=|>=|<|>)? *` + Size(0).Pattern()[1:] }

// Example is a condition.
func (SizeMatch) Example() string { return ">= 1TB" }

// UnmarshalText reads a condition.
func (m *SizeMatch) UnmarshalText(text []byte) error {
	size := strings.TrimLeft(string(text), "<>=")
	var s Size
	if !matches(m.Pattern(), text) {
		return fmt.Errorf("%.60q is not a condition on a size, such as 4GB or >= 1TB", text)
	}
	if err := s.UnmarshalText([]byte(strings.TrimLeft(size, " "))); err != nil {
		return err
	}
	*m = SizeMatch{Op: string(text[:len(text)-len(size)]), Size: s}
	return nil
}

// Ports is a range of ports, both ends in it: 80, or 30000-32767.
type Ports struct{ First, Last uint16 }

// Pattern of a range of ports.
func (Ports) Pattern() string { return `^[0-9]{1,5}(-[0-9]{1,5})?$` }

// Example is a range of ports.
func (Ports) Example() string { return "30000-32767" }

// UnmarshalText reads a range of ports.
func (p *Ports) UnmarshalText(text []byte) error {
	first, last, isRange := strings.Cut(string(text), "-")
	if !isRange {
		last = first
	}
	lo, err1 := strconv.ParseUint(first, 10, 16)
	hi, err2 := strconv.ParseUint(last, 10, 16)
	switch {
	case err1 != nil || err2 != nil || !matches(p.Pattern(), text):
		return fmt.Errorf("%.60q is not a port or a range of ports, such as 80 or 30000-32767", text)
	case lo > hi:
		return fmt.Errorf("the range %s ends before it begins", text)
	}
	*p = Ports{uint16(lo), uint16(hi)}
	return nil
}

// String writes the range as documents do.
func (p Ports) String() string {
	if p.First == p.Last {
		return strconv.Itoa(int(p.First))
	}
	return fmt.Sprintf("%d-%d", p.First, p.Last)
}

func matches(pattern string, text []byte) bool {
	return regexp.MustCompile(pattern).Match(text)
}
