package debian

import (
	"bufio"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Package is one binary package as apt's index describes it.
type Package struct {
	Name          string
	Version       string
	Arch          string // "all" for packages without machine code
	Section       string // such as libs, kernel or non-free-firmware/kernel
	Source        string // name of the source package
	SourceVersion string
	Digest        blob.Digest // of the .deb
	Size          int64       // of the .deb in bytes
	Depends       []string    // names; of alternatives the first
}

// fileName is what apt calls the downloaded file.
func (p Package) fileName() string {
	return p.Name + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Arch + ".deb"
}

// fields are a stanza's fields by lower-case name; lines of one field are joined with newlines.
type fields map[string]string

// stanzas splits text into paragraphs of fields (Debian Policy 5.1). Lines that are neither are skipped.
func stanzas(text string) []fields {
	var all []fields
	cur, last := fields{}, ""
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	for lines.Scan() {
		line := lines.Text()
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.TrimSpace(line) == "":
			if len(cur) > 0 {
				all = append(all, cur)
			}
			cur, last = fields{}, ""
		case line[0] == ' ' || line[0] == '\t':
			if last != "" {
				cur[last] += "\n" + strings.TrimSpace(line)
			}
		case ok && line[0] != '#':
			last = strings.ToLower(name)
			cur[last] = strings.TrimSpace(value)
		}
	}
	if len(cur) > 0 {
		all = append(all, cur)
	}
	return all
}

// packageOf reads a stanza of apt's index.
func packageOf(f fields) (Package, error) {
	p := Package{Name: f["package"], Version: f["version"], Arch: f["architecture"], Section: f["section"]}
	p.Source, p.SourceVersion = p.Name, p.Version
	if source, version, _ := strings.Cut(f["source"], " "); source != "" {
		p.Source = source
		if version != "" {
			p.SourceVersion = strings.Trim(version, "()")
		}
	}
	var err error
	if p.Digest, err = blob.ParseDigest("sha256:" + f["sha256"]); err == nil {
		p.Size, err = strconv.ParseInt(f["size"], 10, 64)
	}
	if err != nil || p.Name == "" || strings.ContainsAny(p.fileName(), "/\x00") {
		return p, report.Errorf(report.Invalid, "apt's index entry of package %q has no usable name, size or SHA-256", p.Name)
	}
	for _, field := range []string{"pre-depends", "depends"} {
		p.Depends = append(p.Depends, dependencies(f[field])...)
	}
	return p, nil
}

// dependencies are the package names of a relation field (Debian Policy 7.1).
func dependencies(field string) []string {
	var names []string
	for relation := range strings.SplitSeq(field, ",") {
		first, _, _ := strings.Cut(relation, "|")
		if end := strings.IndexAny(first, "([<"); end >= 0 {
			first = first[:end]
		}
		name, _, _ := strings.Cut(strings.TrimSpace(first), ":")
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
