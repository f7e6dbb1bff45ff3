package yamldoc

import (
	"errors"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Redact is err as it may be shown of a document of secrets: with the places and paths of its findings, without lines of
// the document and without values from it.
func Redact(err error) error {
	findings, ok := errors.AsType[report.Findings](err)
	if !ok {
		return err
	}
	out := make(report.Findings, len(findings))
	for i, f := range findings {
		out[i] = RedactFinding(f)
	}
	return out.Err()
}

// RedactFinding is Redact of one finding.
func RedactFinding(f report.Finding) report.Finding {
	f.Source = ""
	if _, want, cut := strings.Cut(f.Message, ", want "); cut && strings.HasPrefix(f.Message, "found ") {
		f.Message, f.Hint = "found something else, want "+want, ""
	}
	return f
}
