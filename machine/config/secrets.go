package config

import (
	"regexp"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// HideSecrets takes out of findings what they show of secrets: lines that hold one, and values of fields that are one, what
// they say of misspelled fields included. The findings themselves are changed.
func HideSecrets(fs report.Findings) report.Findings {
	if len(fs) == 0 {
		return fs
	}
	// Names of fields that are secrets end like this; apiUrl may have a token in its query.
	const name = `(token|secret|key|passphrase|password|auth|apiurl)`
	about := regexp.MustCompile(`(?i)` + name + `"?\]?([.\[]|$)`) // in a path
	meant := regexp.MustCompile(`(?i)` + name + `"`)              // in a hint: did you mean "token"?
	// A line is hidden that has such a field, a JSON pointer to one, or a URL with a password.
	within := regexp.MustCompile(`(?i)` + name + `["']?\s*:|/\w*` + name + `\b|://[^/\s]*@`)
	quoted := regexp.MustCompile(`"[^"]*"`)
	secret := func(f report.Finding) bool { return about.MatchString(f.Path) || meant.MatchString(f.Hint) }
	lines := map[string]bool{}
	for _, f := range fs {
		if secret(f) || within.MatchString(f.Source) {
			lines[f.Source] = true
		}
	}
	for i, f := range fs {
		hidden := f.Source != "" && lines[f.Source]
		if hidden {
			fs[i].Source = ""
		}
		if secret(f) || hidden && f.Path == "" {
			fs[i] = yamldoc.RedactFinding(f)
			fs[i].Message = quoted.ReplaceAllString(fs[i].Message, `"..."`)
		}
	}
	return fs
}
