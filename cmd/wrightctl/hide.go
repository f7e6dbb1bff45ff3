package main

import (
	"errors"
	"regexp"
	"slices"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// secretFields are the fields of configurations whose values nobody but their owner may see.
func secretFields() []string {
	return []string{"token", "secret", "key", "privateKey", "presharedKey", "passphrase", "password", "auth", "identityToken",
		"secretboxEncryptionSecret", "aescbcEncryptionSecret", "apiUrl"}
}

// hideSecrets is findings without what they show of secret fields: not their values, and not the lines that hold them.
func hideSecrets(findings report.Findings) report.Findings {
	lines := map[string]bool{} // with secrets
	for _, f := range findings {
		if aboutSecret(f) {
			lines[f.Source] = true
		}
	}
	quoted := regexp.MustCompile(`"[^"]*"`)
	out := slices.Clone(findings)
	for i, f := range out {
		if lines[f.Source] && f.Source != "" || aboutSecret(f) {
			out[i] = yamldoc.RedactFinding(f)
			out[i].Message = quoted.ReplaceAllString(out[i].Message, `"..."`)
		}
	}
	return out
}

// aboutSecret reports whether a finding is of a secret field, one that was misspelled included, or its line names one.
func aboutSecret(f report.Finding) bool {
	for _, names := range [][][]string{
		regexp.MustCompile(`(\w+)$`).FindAllStringSubmatch(f.Path, -1),
		regexp.MustCompile(`"(\w+)"`).FindAllStringSubmatch(f.Hint, -1),
		regexp.MustCompile(`(\w+)["']?:`).FindAllStringSubmatch(f.Source, -1),
	} {
		if slices.ContainsFunc(names, func(m []string) bool { return slices.Contains(secretFields(), m[1]) }) {
			return true
		}
	}
	return false
}

// hideSecretsIn is hideSecrets of the findings that err holds, if it does.
func hideSecretsIn(err error) error {
	if findings, ok := errors.AsType[report.Findings](err); ok {
		return hideSecrets(findings).Err()
	}
	return err
}
