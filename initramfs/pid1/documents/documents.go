// Package documents finds the machine configuration that a machine was given, and reads it: of the areas in the initramfs
// (machine/configarea) the entry that is for this machine.
//
// Sources, in order: the area beside what is measured, which the boot loader hands over; the one that was built into the
// initramfs; what the kernel argument talos.config names; a NoCloud seed. docs/boot-sources.md has the rules. Package
// current puts before all of these what STATE has.
package documents

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Source is a place in the initramfs.
type Source struct {
	Name string // as the boot report has it
	text []byte
}

// Collect reads the areas that the initramfs has, which is gone once the machine moves to its root.
func Collect(m kernel.Files) ([]Source, error) {
	var out []Source
	var faults []error
	for _, s := range []struct{ name, path string }{
		{bootreport.SourceBaked, "/" + configarea.Path}, {bootreport.SourceInitramfs, "/" + configarea.EmbeddedPath},
	} {
		text, err := read(m, s.path)
		switch {
		case err == nil:
			out = append(out, Source{s.name, text})
		case !errors.Is(err, fs.ErrNotExist):
			faults = append(faults, err)
		}
	}
	return out, errors.Join(faults...)
}

func read(m kernel.Files, path string) ([]byte, error) {
	f, err := m.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, configarea.MaxSize+1))
	if err == nil && len(text) > configarea.MaxSize {
		return nil, fmt.Errorf("%s: more than %d bytes", path, configarea.MaxSize)
	}
	return text, err
}

// Load reads the configuration for the machine who from the first source that has one, and says what came of it. Without a
// source, and with one that has nothing for this machine, the Config is nil and there is no error. With faults it is nil too,
// and the error says how many; the report has them all, without what is secret.
func Load(sources []Source, who configarea.Machine) (*config.Config, bootreport.Config, error) {
	said := bootreport.Config{Source: bootreport.SourceNone}
	var faults []error
	for _, s := range sources {
		entries, err := configarea.Decode(s.text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", s.Name, err))
			continue
		}
		e, ok := configarea.Pick(entries, who)
		if !ok {
			continue
		}
		said.Source, said.Match = s.Name, e.Match
		c, err := load(e, &said)
		return c, said, errors.Join(append(faults, err)...)
	}
	return nil, said, errors.Join(faults...)
}

// load is one configuration. The validity times of certificates are not looked at: the clock may be wrong.
func load(e configarea.Entry, said *bootreport.Config) (*config.Config, error) {
	c, findings := config.Check("", e.Config, check.Options{Mode: check.Metal})
	faults := 0
	for _, f := range findings {
		severity := "warning"
		if f.Severity == report.Fault {
			severity = "fault"
			faults++
		}
		said.Findings = append(said.Findings, bootreport.Finding{Severity: severity, Line: f.Line, Column: f.Column, Path: f.Path, Message: f.Message})
	}
	if findings.Err() != nil {
		return nil, fmt.Errorf("the machine configuration %s has %d faults and is not used", whose(e, said), faults)
	}
	for _, d := range c.Documents() {
		said.Documents = append(said.Documents, bootreport.Document{Kind: d.Kind, Name: d.Name})
	}
	return c, nil
}

// whose tells configurations apart: by the place of the first fault of one from outside, or by the machine that it is for.
func whose(e configarea.Entry, said *bootreport.Config) string {
	if said.Origin == "" {
		return "for " + e.Match
	}
	if f := said.Findings[0]; f.Line > 0 {
		return fmt.Sprintf("%s:%d:%d", said.Origin, f.Line, f.Column)
	}
	return said.Origin
}

// LoadGiven reads a configuration that a Finder found, as Load does.
func LoadGiven(g Given) (*config.Config, bootreport.Config, error) {
	said := bootreport.Config{Source: g.Source, Origin: g.Origin}
	c, err := load(configarea.Entry{Config: g.Text}, &said)
	return c, said, err
}
