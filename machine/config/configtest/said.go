package configtest

import (
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Said puts findings into a line each: severity, path, message and, in parentheses, the hint.
func Said(fs report.Findings) string {
	var lines []string
	for _, f := range fs {
		hint := f.Hint
		f.File, f.Source, f.Hint = "", "", ""
		line := f.String()
		if hint != "" {
			line += " (" + hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}
