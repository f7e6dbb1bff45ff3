package profiles

import (
	"embed"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Names are the built-in profiles, by name.
func Names() []string {
	entries, err := builtin.ReadDir("builtin")
	if err != nil {
		panic("profiles: embedded: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	slices.Sort(names) // "metal.yaml" is behind "metal-4k.yaml"
	return names
}

// IsBuiltinName reports whether name is that of a built-in profile, if there is one; all others are files or references to images.
func IsBuiltinName(name string) bool { return !strings.ContainsAny(name, "/:.") }

// Source is the text of a built-in profile, which begins with a comment that says what it makes. The error is NotFound.
func Source(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, report.WithHint(report.Errorf(report.NotFound, "there is no built-in profile %.100q", name), "%s", nearest(name, Names()))
	}
	return builtin.ReadFile("builtin/" + name + ".yaml")
}

// Builtin loads a built-in profile. The error is NotFound.
func Builtin(name string) (*Profile, error) {
	text, err := Source(name)
	if err != nil {
		return nil, err
	}
	return Load("built-in profile "+name, text)
}

// nearest is a hint for a word that is none of words.
func nearest(word string, words []string) string {
	if len(word) < 64 {
		if near := report.Nearest(word, words); near != "" {
			return "did you mean " + near + "?"
		}
	}
	return "one of " + strings.Join(words, ", ")
}
