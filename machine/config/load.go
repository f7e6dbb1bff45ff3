package config

import (
	"bytes"
	"errors"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/check"
)

// The limits of a configuration: a machine of little memory reads it before anything else runs.
const (
	maxBytes = 16 << 20
	maxNodes = 250_000
)

// Limits are how configurations and patches are parsed.
func Limits() yamldoc.Options {
	return yamldoc.Options{MaxBytes: maxBytes, MaxNodes: maxNodes, Loose: true}
}

// Load reads a configuration; name is what messages call it. The error is an Invalid one that holds report.Findings: wrong
// YAML, unknown kinds and fields, values of other types, documents given twice. What values mean is for Check to say.
func Load(name string, data []byte) (*Config, error) {
	c, findings := load(name, data)
	if err := HideSecrets(findings).Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Check loads a configuration and validates it, and gives every finding of both. The Config is nil if it cannot be loaded.
func Check(name string, data []byte, o check.Options) (*Config, report.Findings) {
	c, findings := load(name, data)
	known := findings
	for _, f := range c.Validate(o) {
		if !below(f, known) {
			findings = append(findings, f)
		}
	}
	HideSecrets(findings).Sort()
	if findings.Err() != nil {
		return nil, findings
	}
	return c, findings
}

// below reports whether f is about something that could not be decoded.
func below(f report.Finding, known report.Findings) bool {
	for _, k := range known {
		if k.Line == f.Line && k.Line > 0 && strings.HasPrefix(f.Path, k.Path) {
			return true
		}
	}
	return false
}

// load is Load, with as much of the configuration as could be read.
func load(name string, data []byte) (*Config, report.Findings) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	docs, err := yamldoc.ParseStream(name, data, Limits())
	if err != nil {
		return &Config{}, findingsOf(err)
	}
	if len(docs) == 0 {
		return &Config{}, report.Findings{{Severity: report.Fault, File: name, Message: "there is no document in it"}}
	}
	c, findings := &Config{}, report.Findings(nil)
	first := map[ID]*yamldoc.Doc{}
	for _, doc := range docs {
		d, fs := decode(doc)
		findings = append(findings, fs...)
		if d == nil {
			continue
		}
		if _, twice := first[d.ID]; twice {
			findings = append(findings, doc.FindingAt(doc.Node(), "duplicate document: "+d.String(), ""))
			continue
		}
		first[d.ID] = doc
		c.docs = append(c.docs, d)
	}
	c.keepText(data)
	return c, findings
}

// decode is the document that doc holds, nil if nobody knows what it is.
func decode(doc *yamldoc.Doc) (*Document, report.Findings) {
	kind, name, fs := Identify(doc)
	if len(fs) > 0 {
		return nil, fs
	}
	d := &Document{ID: ID{Kind: kind.Name, Name: name}, Value: kind.New(), doc: doc}
	return d, findingsOf(doc.Decode(d.Value))
}

// Identify says of which kind a document is, and its name. There are findings if that cannot be said.
func Identify(doc *yamldoc.Doc) (kind Kind, name string, fs report.Findings) {
	n := doc.Node()
	if n.Kind != yaml.MappingNode {
		return Kind{}, "", fault(doc, "", "the document is not a mapping", "")
	}
	apiVersion, kindName := text(n, "apiVersion"), text(n, "kind")
	if apiVersion == "" && kindName == "" {
		return Kinds()[0], "", nil
	}
	kind, hint, ok := kindOf(kindName)
	switch {
	case kindName == "":
		return Kind{}, "", fault(doc, "apiVersion", "missing kind", hint)
	case !ok || kind.Name == MainKind:
		return Kind{}, "", fault(doc, "kind", "unknown kind", hint)
	case apiVersion == "":
		return Kind{}, "", fault(doc, "kind", "missing apiVersion", "add apiVersion: "+APIVersion)
	case apiVersion != APIVersion:
		return Kind{}, "", fault(doc, "apiVersion", "unknown apiVersion", "it is "+APIVersion)
	}
	if kind.Named {
		if name = text(n, "name"); name == "" {
			return Kind{}, "", fault(doc, "kind", "missing name", "a "+kind.Name+" needs a name")
		}
	}
	return kind, name, nil
}

func fault(doc *yamldoc.Doc, path, message, hint string) report.Findings {
	f := doc.Finding(path, message, hint)
	if f.Line == 0 {
		f = doc.FindingAt(doc.Node(), message, hint)
	}
	return report.Findings{f}
}

// text is the text at a key of a mapping, or "".
func text(n *yaml.Node, key string) string {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key && n.Content[i+1].Kind == yaml.ScalarNode && n.Content[i+1].Tag != "!!null" {
			return n.Content[i+1].Value
		}
	}
	return ""
}

// findingsOf are the findings that an error holds.
func findingsOf(err error) report.Findings {
	if err == nil {
		return nil
	}
	if fs, ok := errors.AsType[report.Findings](err); ok {
		return fs
	}
	return report.Findings{{Severity: report.Fault, Message: err.Error()}}
}

// keepText gives each document its part of the text: from its ---, with the comments before it, to the next.
func (c *Config) keepText(data []byte) {
	if bytes.ContainsAny(data, "\u0085\u2028\u2029") || bytes.Count(data, []byte("\r")) != bytes.Count(data, []byte("\r\n")) {
		c.encodeAll() // the parser counts lines in another way
		return
	}
	line, next, begin, at := 1, 0, 0, 0
	for text := range bytes.Lines(data) {
		if marker(text) && next > 0 && next < len(c.docs) && c.docs[next-1].text == nil && c.docs[next-1].doc.Node().Line < line {
			c.docs[next-1].text = data[begin:at]
			begin = at
		}
		for next < len(c.docs) && c.docs[next].doc.Node().Line == line {
			next++
		}
		at += len(text)
		line++
	}
	if next > 0 {
		c.docs[next-1].text = data[begin:]
	}
	for _, d := range c.docs { // more than one without a --- between them
		if len(d.text) == 0 || begin == 0 && len(c.docs) > 1 {
			c.encodeAll()
			return
		}
	}
}

func (c *Config) encodeAll() {
	for i, d := range c.docs {
		d.text = Encode(d.Node())
		if i > 0 {
			d.text = append([]byte("---\n"), d.text...)
		}
	}
}
