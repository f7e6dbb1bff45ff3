package config

import (
	"regexp"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// secretName is how names of fields end that are secrets; apiUrl may have a token in its query.
const secretName = `(?i)(token|secret|key|passphrase|password|auth|apiurl)`

var (
	secretPath = regexp.MustCompile(secretName + `"?\]?([.\[]|$)`)
	secretHint = regexp.MustCompile(secretName + `"`) // did you mean "token"?
	// A line is secret that has such a field, a JSON pointer to one, or a URL with a password.
	secretLine = regexp.MustCompile(secretName + `["']?\s*:|/\w*` + secretName + `\b|://[^/\s]*@`)
	quoted     = regexp.MustCompile(`"[^"]*"`)
)

// HideSecrets takes out of findings what they show of secrets: lines that hold one, and values of fields that are one, what
// they say of misspelled fields included. The findings themselves are changed.
func HideSecrets(fs report.Findings) report.Findings {
	secret := func(f report.Finding) bool { return secretPath.MatchString(f.Path) || secretHint.MatchString(f.Hint) }
	lines := map[string]bool{}
	for _, f := range fs {
		if secret(f) || secretLine.MatchString(f.Source) {
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
