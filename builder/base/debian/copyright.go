package debian

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Licenses are the short names of the licences in a package's copyright file, sorted, by their SPDX identifiers where
// Debian's differ from them. It is empty for a file that is not machine-readable by DEP 5.
func Licenses(copyright string) []string {
	paragraphs := stanzas(copyright)
	if len(paragraphs) == 0 || !strings.Contains(paragraphs[0]["format"], "copyright-format") {
		return nil
	}
	names := map[string]bool{}
	for _, p := range paragraphs {
		if p["files"] == "" {
			continue // a stand-alone licence text, or the header
		}
		synopsis, _, _ := strings.Cut(p["license"], "\n")
		for _, name := range regexp.MustCompile(`,? +(?:and|or) +|, *`).Split(synopsis, -1) {
			if name = strings.TrimSpace(name); name != "" {
				names[spdx(name)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// spdx is the SPDX identifier of a licence that DEP 5 calls name, or name itself where they agree or none is known.
func spdx(name string) string {
	base, exception, _ := strings.Cut(name, " with ")
	if m := regexp.MustCompile(`^(A?L?GPL|GFDL)-([0-9.]+)(\+?)$`).FindStringSubmatch(base); m != nil {
		version, suffix := m[2], "-only"
		if !strings.Contains(version, ".") {
			version += ".0"
		}
		if m[3] == "+" {
			suffix = "-or-later"
		}
		base = m[1] + "-" + version + suffix
	} else if base == "Expat" {
		base = "MIT"
	}
	if exception != "" {
		return base + " with " + exception
	}
	return base
}
