// Package bake puts machine configurations into boot assets: it reads and checks them for a build, and finds, reads and
// rewrites the place of a finished ISO that is reserved for them (machine/configarea). docs/baking.md is the manual.
//
// The place is a file beside the UKI in the EFI system partition: systemd-stub hands it to the kernel, GRUB does from the
// same sectors as a part of an initrd. Left out: places in disk images, which are not made yet.
package bake

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/patch"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/profiles"
)

// Load reads the configurations that c says, with their patches, and checks all of them as those of metal machines. The
// findings are warnings; faults are in the error, which is of kind Invalid, or NotFound for files that are not there. The
// validity times of certificates are not looked at: what is built must not depend on when.
func Load(c profiles.MachineConfig) ([]configarea.Entry, report.Findings, error) {
	sources, err := collect(c)
	if err != nil {
		return nil, nil, err
	}
	var patches []*patch.Patch
	for _, arg := range c.Patches {
		p, err := patch.Read(arg)
		if err != nil {
			return nil, nil, err
		}
		patches = append(patches, p)
	}
	var entries []configarea.Entry
	var findings report.Findings
	for _, s := range sources {
		text, fs := s.check(patches)
		findings = append(findings, fs...)
		entries = append(entries, configarea.Entry{Match: s.match, Config: text})
	}
	findings = config.HideSecrets(findings)
	if err := findings.Err(); err != nil {
		return nil, nil, err
	}
	return entries, findings, nil
}

// source is a configuration as it was given.
type source struct {
	name  string // of the file, for messages
	match string
	text  []byte
}

// check is the text with the patches applied, and what is to be said of it.
func (s source) check(patches []*patch.Patch) ([]byte, report.Findings) {
	text := s.text
	if len(patches) > 0 {
		c, err := config.Load(s.name, text)
		if err == nil {
			c, err = patch.Apply(c, patches...)
		}
		if err != nil {
			return nil, s.findings(err)
		}
		text = c.Bytes()
	}
	_, findings := config.Check(s.name, text, check.Options{Mode: check.Metal})
	return text, findings
}

// findings are those in err, or it as one.
func (s source) findings(err error) report.Findings {
	if fs, ok := errors.AsType[report.Findings](err); ok {
		return fs
	}
	return report.Findings{{Severity: report.Fault, File: s.name, Message: err.Error(), Hint: report.HintOf(err)}}
}

// collect reads what c names; no two are for the same machine.
func collect(c profiles.MachineConfig) ([]source, error) {
	var out []source
	if c.Inline != "" {
		out = append(out, source{"customization.machineConfig.inline", configarea.Default, []byte(c.Inline)})
	}
	if c.Path != "" {
		text, err := readFile(c.Path)
		if err != nil {
			return nil, err
		}
		out = append(out, source{c.Path, configarea.Default, text})
	}
	if c.Dir == "" {
		return out, nil
	}
	more, err := collectDir(c.Dir)
	if err != nil {
		return nil, err
	}
	out = append(out, more...)
	seen := map[string]string{}
	for _, s := range out {
		if before := seen[s.match]; before != "" {
			return nil, report.Errorf(report.Invalid, "%s and %s are both for %s", before, s.name, s.match)
		}
		seen[s.match] = s.name
	}
	return out, nil
}

// collectDir reads MATCH.yaml; other files than YAML are none of its business, as are hidden ones.
func collectDir(dir string) ([]source, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []source
	for _, e := range entries {
		name, ext := e.Name(), filepath.Ext(e.Name())
		if ext != ".yaml" && ext != ".yml" || strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(dir, name)
		match, err := configarea.Match(strings.TrimSuffix(name, ext))
		if err != nil {
			return nil, report.Errorf(report.Invalid, "%s: %w", path, err)
		}
		text, err := readFile(path)
		if err != nil {
			return nil, err
		}
		out = append(out, source{path, match, text})
	}
	if len(out) == 0 {
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s has no machine configuration", dir), "they are called MATCH.yaml: a UUID, a serial number or a MAC address")
	}
	return out, nil
}

// readFile is a file that fits into an area.
func readFile(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err == nil && st.IsDir() {
		err = report.Errorf(report.Invalid, "%s is a folder, not a machine configuration", path)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, configarea.MaxSize))
	if err == nil && len(text) == configarea.MaxSize {
		err = report.Errorf(report.Invalid, "%s: more than the %d bytes that a machine configuration may have", path, configarea.MaxSize)
	}
	return text, err
}

// Room is how large the area is that is reserved for entries and at least for room bytes, in whole units.
func Room(entries []configarea.Entry, room int64) int64 {
	return blob.Align(max(configarea.Size(entries), room, 1), configarea.Unit)
}
