package extensions

import (
	"fmt"

	"github.com/bootwright/bootwright/extensions/semver"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/extlayers"
)

// What an extension's root holds, and nothing else.
const (
	ManifestFile = "manifest.yaml"
	RootFolder   = "rootfs"
)

// ManifestVersion is the only value of a manifest's version.
const ManifestVersion = "v1alpha1"

const maxDocument = 1 << 20 // bytes of a manifest or a service's description

// Manifest says what an extension is.
type Manifest struct {
	Version  string   `json:"version" yaml:"version"` // of the format: ManifestVersion
	Metadata Metadata `json:"metadata" yaml:"metadata"`
}

// Metadata is what a machine reports of an extension; see extlayers.
type Metadata = extlayers.Metadata

// manifestDoc is a manifest and its text, for findings.
type manifestDoc struct {
	Manifest
	doc   *yamldoc.Doc
	works semver.Range // where the manifest names a range
}

// ReadManifest reads the manifest of the extension t. The error is of kind Invalid, holds report.Findings and says all
// that is wrong; name is what it calls the extension.
func ReadManifest(name string, t *tree.Tree) (*Manifest, error) {
	m, err := readManifest(name, t)
	if err != nil {
		return nil, err
	}
	return &m.Manifest, nil
}

func readManifest(name string, t *tree.Tree) (*manifestDoc, error) {
	file := inside(name, ManifestFile)
	fail := func(format string, args ...any) error {
		return report.Findings{{Severity: report.Fault, File: file, Message: fmt.Sprintf(format, args...)}}.Err()
	}
	n := t.Get(ManifestFile)
	switch {
	case n == nil:
		return nil, fail("the extension has no manifest")
	case !n.Mode.IsRegular():
		return nil, fail("is no file")
	}
	text, err := blob.ReadAll(n.Open(), maxDocument)
	if err != nil {
		return nil, fail("%v", err)
	}
	m := &manifestDoc{}
	if m.doc, err = yamldoc.Parse(file, text, yamldoc.Options{MaxBytes: maxDocument}); err != nil {
		return nil, err
	}
	if err := m.doc.Decode(&m.Manifest); err != nil {
		return nil, err
	}
	return m, m.check()
}

// check is everything that is wrong with the manifest by itself.
func (m *manifestDoc) check() error {
	var fs report.Findings
	add := func(at, hint, format string, args ...any) {
		fs = append(fs, m.doc.Finding(at, fmt.Sprintf(format, args...), hint))
	}
	if m.Version != ManifestVersion {
		add("version", "write "+ManifestVersion, "unsupported manifest version %.100q", m.Version)
	}
	if m.Metadata.Name == "" {
		add("metadata.name", "", "the extension needs a name")
	}
	if m.Metadata.Version == "" {
		add("metadata.version", "", "the extension needs a version")
	}
	if text := m.Metadata.Compatibility.Talos.Version; text != "" {
		var err error
		if m.works, err = semver.ParseRange(text); err != nil {
			add("metadata.compatibility.talos.version", `write a range such as ">= v1.9.0"`, "%v", err)
		}
	}
	fs.Sort()
	return fs.Err()
}
