package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity of a finding.
type Severity int

// The severities.
const (
	Warning Severity = iota
	Fault
)

// Finding is one thing wrong at one place of a document.
type Finding struct {
	Severity     Severity
	File         string // as the person named it; "-" for standard input
	Line, Column int    // from 1; 0 where there is no place
	Path         string // of the field, such as output.isoOptions.label
	Message      string // lower case, what is wrong
	Hint         string // what to do
	Source       string // the text of the line, if known
}

// Findings is every finding of a document, never just the first.
type Findings []Finding

// Err is nil without faults, else an Error of kind Invalid that says them all.
func (fs Findings) Err() error {
	if !slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == Fault }) {
		return nil
	}
	return &Error{Kind: Invalid, Err: fs}
}

// Error is every finding as String has it, one after another.
func (fs Findings) Error() string {
	parts := make([]string, len(fs))
	for i, f := range fs {
		parts[i] = f.String()
	}
	return strings.Join(parts, "\n")
}

// Sort puts findings in the order of their places.
func (fs Findings) Sort() {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// String is "file:line:column: path: message", then the source line with a caret and the hint, a line each.
func (f Finding) String() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File + ":")
		if f.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", f.Line, f.Column)
		}
		b.WriteByte(' ')
	}
	if f.Severity == Warning {
		b.WriteString("warning: ")
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Source != "" && f.Line > 0 {
		pad := strings.Map(func(r rune) rune {
			if r == '\t' {
				return r
			}
			return ' '
		}, firstRunes(f.Source, f.Column-1))
		fmt.Fprintf(&b, "\n  %s\n  %s^", f.Source, pad)
	}
	if f.Hint != "" {
		b.WriteString("\n  hint: " + f.Hint)
	}
	return b.String()
}

func firstRunes(s string, n int) string {
	r := []rune(s)
	return string(r[:max(0, min(n, len(r)))])
}

// Nearest is the candidate that word was probably meant to be, or "" where none is close.
func Nearest(word string, candidates []string) string {
	best, bestDistance := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// distance is Levenshtein's, with a swap of neighbours as one step.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
