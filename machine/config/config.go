// Package config is the machine configuration: a stream of YAML documents, the main one of `version: v1alpha1` and others
// that have a kind, as Talos Linux 1.9 has them.
//
// A Config keeps the text that it was loaded from: what nobody changed is saved byte for byte, with its comments and in its
// order. Left out on purpose are YAML's merge keys (<<); aliases work, and what they expand to is bounded.
package config

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Config is a machine configuration. The zero value is an empty one.
type Config struct {
	docs []*Document
}

// ID tells the documents of a configuration apart.
type ID struct {
	Kind string // as the table has it
	Name string // "" for kinds that are not named
}

// String is Kind or Kind/name.
func (id ID) String() string {
	if id.Name == "" {
		return id.Kind
	}
	return id.Kind + "/" + id.Name
}

// Document is one document of a Config.
type Document struct {
	ID
	Value Value // of the type that the table of kinds says
	doc   *yamldoc.Doc
	text  []byte
}

// Documents are the documents in their order.
func (c *Config) Documents() []*Document { return c.docs }

// Main is the main document, or nil.
func (c *Config) Main() *v1alpha1.Config {
	for _, d := range c.docs {
		if main, ok := d.Value.(*v1alpha1.Config); ok {
			return main
		}
	}
	return nil
}

// Get is the document with an ID, or nil.
func (c *Config) Get(id ID) *Document {
	for _, d := range c.docs {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// All are the contents of one type, such as *kinds.KmsgLogConfig, in the order of their documents.
func All[T Value](c *Config) []T {
	var out []T
	for _, d := range c.docs {
		if v, ok := d.Value.(T); ok {
			out = append(out, v)
		}
	}
	return out
}

// Bytes is the text of the configuration: what it was loaded from.
func (c *Config) Bytes() []byte {
	var out []byte
	for _, d := range c.docs {
		out = append(out, d.text...)
	}
	return out
}

// Node is the content of the document as YAML, a mapping. It must not be changed.
func (d *Document) Node() *yaml.Node { return d.doc.Node() }

// Text is the text of the document, from the --- before it, if there is one, to the end.
func (d *Document) Text() []byte { return d.text }

// Join is a stream of documents: texts one after another, with --- between those that do not begin with it.
func Join(texts ...[]byte) []byte {
	var out []byte
	for _, text := range texts {
		if len(out) > 0 {
			if out[len(out)-1] != '\n' {
				out = append(out, '\n')
			}
			if !beginsDocument(text) {
				out = append(out, "---\n"...)
			}
		}
		out = append(out, text...)
	}
	return out
}

// beginsDocument reports whether text begins with ---, comments and empty lines aside.
func beginsDocument(text []byte) bool {
	for line := range bytes.Lines(text) {
		if marker(line) {
			return true
		}
		if trimmed := bytes.TrimSpace(line); len(trimmed) > 0 && trimmed[0] != '#' {
			return false
		}
	}
	return false
}

// marker reports whether a line begins a document.
func marker(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("---"))
	return ok && (len(rest) == 0 || strings.IndexByte(" \t\r\n", rest[0]) >= 0)
}

func joined(words []string) string { return strings.Join(words, ", ") }
