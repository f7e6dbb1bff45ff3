package config

import (
	"regexp"

	"github.com/bootwright/bootwright/internal/report"
)

// HideSecrets takes the lines that hold a secret out of findings, which say enough without them.
func HideSecrets(fs report.Findings) report.Findings {
	secret := regexp.MustCompile(`(?i)(token|secret|key|passphrase|password|auth)["']?\s*:`)
	for i := range fs {
		if secret.MatchString(fs[i].Source) {
			fs[i].Source = ""
		}
	}
	return fs
}
