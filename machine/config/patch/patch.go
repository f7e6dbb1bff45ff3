// Package patch changes machine configurations: by strategic merge patches, which look like the configuration that is
// wanted, by JSON patches (RFC 6902), and with Diff by patches made from two configurations.
//
// Patches work on the YAML of the documents, so that comments and the order of fields survive; documents that a patch does
// not touch stay as they are, byte for byte.
package patch

import (
	"errors"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/config"
)

// Patch is one patch, of either kind.
type Patch struct {
	name      string
	documents []*yamldoc.Doc // of a strategic merge patch
	ops       []operation    // of a JSON patch
}

// Read is Load of what a command line says: a patch itself or @file. The error is NotFound for a file that is not there.
func Read(arg string) (*Patch, error) {
	file, isFile := strings.CutPrefix(arg, "@")
	if !isFile {
		return Load("patch", []byte(arg))
	}
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, report.Errorf(report.NotFound, "patch %s: %w", file, err)
	} else if err != nil {
		return nil, report.Errorf(report.Unavailable, "patch %s: %w", file, err)
	}
	return Load(file, text)
}

// Load reads a patch; name is what messages call it. A list is a JSON patch, in JSON or YAML, anything else a strategic
// merge patch. The error is an Invalid one, mostly with report.Findings.
func Load(name string, text []byte) (*Patch, error) {
	p, err := load(name, text)
	if fs, ok := errors.AsType[report.Findings](err); ok {
		return nil, config.HideSecrets(fs).Err()
	}
	return p, err
}

func load(name string, text []byte) (*Patch, error) {
	docs, err := yamldoc.ParseStream(name, text, config.Limits())
	if err != nil {
		return nil, err
	}
	if len(docs) == 0 {
		return nil, report.Errorf(report.Invalid, "%s: the patch is empty", name)
	}
	p := &Patch{name: name}
	if docs[0].Node().Kind == yaml.SequenceNode {
		for _, doc := range docs {
			ops, err := loadOperations(doc)
			if err != nil {
				return nil, err
			}
			p.ops = append(p.ops, ops...)
		}
		return p, nil
	}
	var findings report.Findings
	seen := map[string]bool{}
	for _, doc := range docs {
		expanded := doc.FromNode(yamldoc.Expand(doc.Node()))
		id, fs := checkStrategic(expanded)
		findings = append(findings, fs...)
		if seen[id] && id != "" {
			return nil, report.Errorf(report.Invalid, "%s:%d: duplicate document %s is not allowed", name, doc.Node().Line, id)
		}
		seen[id] = true
		p.documents = append(p.documents, expanded)
	}
	return p, findings.Err()
}

// Apply gives c as the patches, in their order, make it. It stays as it is itself.
func Apply(c *config.Config, patches ...*Patch) (*config.Config, error) {
	for _, p := range patches {
		s := open(c)
		var err error
		if p.ops != nil {
			err = s.json(p)
		} else {
			err = s.strategic(p)
		}
		if err != nil {
			return nil, err
		}
		if c, err = s.config(p.name + " (applied)"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// config is what the configuration became. Comments are left out of changed documents where the text would say something
// else with them.
func (s *state) config(name string) (*config.Config, error) {
	c, err := config.Load(name, s.bytes(true))
	if err == nil && s.isSaidBy(c) {
		return c, nil
	}
	return config.Load(name, s.bytes(false))
}

// isSaidBy reports whether the changed documents are those of c.
func (s *state) isSaidBy(c *config.Config) bool {
	docs := c.Documents()
	if len(docs) != len(s.docs) {
		return false
	}
	for i, d := range s.docs {
		if d.text == nil && !config.Equal(d.node, docs[i].Node()) {
			return false
		}
	}
	return true
}

// state is a configuration that is being changed.
type state struct{ docs []*document }

// document is one of its documents. A text of nil means that it was changed.
type document struct {
	config.ID
	node *yaml.Node
	text []byte
}

func open(c *config.Config) *state {
	s := &state{}
	for _, d := range c.Documents() {
		s.docs = append(s.docs, &document{d.ID, d.Node(), d.Text()})
	}
	return s
}

// find is the document with an ID ready to be changed, or nil.
func (s *state) find(id config.ID) *document {
	for _, d := range s.docs {
		if d.ID == id {
			if d.text != nil {
				d.node, d.text = yamldoc.Expand(d.node), nil
			}
			return d
		}
	}
	return nil
}

func (s *state) remove(d *document) {
	for i := range s.docs {
		if s.docs[i] == d {
			s.docs = append(s.docs[:i], s.docs[i+1:]...)
			return
		}
	}
}

func (s *state) bytes(comments bool) []byte {
	var texts [][]byte
	for _, d := range s.docs {
		text := d.text
		if text == nil {
			text = config.Dump(d.node, comments)
		}
		texts = append(texts, text)
	}
	return config.Join(texts...)
}
