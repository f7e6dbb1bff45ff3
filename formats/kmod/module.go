package kmod

import (
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Module is what is known of one module. From Read it has all fields; from ReadIndex only Name, Path and the soft
// dependencies, and Needs.
type Module struct {
	Name     string   // as lsmod shows it: "_", never "-"
	Path     string   // relative to lib/modules/<release>, such as kernel/fs/xfs/xfs.ko
	Depends  []string // names of modules that it links against; see Needs
	SoftPre  []string // names or aliases to try to load before it
	SoftPost []string // names or aliases to try to load after it
	Aliases  []string // glob patterns of the devices and services it is for, such as pci:v00008086d000010D3sv*sd*bc*sc*i*
	Firmware []string // files below lib/firmware that it may ask for
	License  string
	Version  string
	Vermagic string           // kernel release and build options that it must be loaded into
	Params   map[string]Param // by name
	Signed   bool             // a signature is appended; whether anyone trusts it is not looked at
	Machine  Machine

	dep string // what modules.dep says: paths of all that it needs, the last to load first
}

// Needs is the names of the modules that must be loaded before it, in load order: at least those that it links against.
func (m *Module) Needs() []string {
	if m.dep == "" {
		return m.Depends
	}
	names := strings.Fields(m.dep)
	slices.Reverse(names)
	for i, p := range names {
		names[i] = Name(p)
	}
	return names
}

// Param is a parameter of a module.
type Param struct {
	Type        string // bool, uint, charp, "array of int" …; may be empty
	Description string
}

// Release is the kernel release that the module was built for, the first word of Vermagic.
func (m *Module) Release() string {
	release, _, _ := strings.Cut(m.Vermagic, " ")
	return release
}

// Name is the module's name in p, a path or a name: without folders and .ko suffixes, and with "_" for "-".
func Name(p string) string {
	name := path.Base(p)
	if i := strings.Index(name, ".ko"); i > 0 && isModuleSuffix(name[i:]) {
		name = name[:i]
	}
	return strings.ReplaceAll(name, "-", "_")
}

// IsModule tells by its suffix whether the file at p is a module.
func IsModule(p string) bool {
	i := strings.LastIndex(p, ".ko")
	return i > 0 && isModuleSuffix(p[i:])
}

func isModuleSuffix(s string) bool {
	switch s {
	case ".ko", ".ko.gz", ".ko.xz", ".ko.zst":
		return true
	}
	return false
}

// signatureMarker ends a signed module (kernel/module/signing.c).
const signatureMarker = "~Module signature appended~\n"

// Read reads the module in b, whose suffix in p says how it is compressed. What is not a module, or is truncated, is an
// Invalid error that names p.
func Read(p string, b blob.Blob) (*Module, error) {
	b, err := Decompress(p, b)
	if err != nil {
		return nil, err
	}
	machine, info, err := modinfo(b)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "module %s: %w", p, err)
	}
	m := &Module{Name: Name(p), Path: p, Machine: machine}
	for field := range strings.SplitSeq(info, "\x00") {
		if key, value, ok := strings.Cut(field, "="); ok {
			m.set(key, value)
		}
	}
	if m.Vermagic == "" {
		return nil, report.Errorf(report.Invalid, "module %s: its .modinfo section has no vermagic; it is not a linked module", p)
	}
	m.Signed, err = endsWith(b, signatureMarker)
	return m, err
}

func (m *Module) set(key, value string) {
	switch key {
	case "depends":
		for d := range strings.SplitSeq(value, ",") {
			if d != "" {
				m.Depends = append(m.Depends, Name(d))
			}
		}
	case "softdep":
		m.addSoftdep(value)
	case "alias":
		if !strings.ContainsAny(value, " \t\r\n") { // no kernel asks for such a name, and no index can hold it
			m.Aliases = append(m.Aliases, value)
		}
	case "firmware":
		m.Firmware = append(m.Firmware, value)
	case "license":
		m.License = value
	case "version":
		m.Version = value
	case "vermagic":
		m.Vermagic = value
	case "parm", "parmtype":
		m.setParam(key, value)
	}
}

// addSoftdep adds "pre: a b post: c". Like modprobe it ignores words before the first of the two.
func (m *Module) addSoftdep(s string) {
	var to *[]string
	for word := range strings.FieldsSeq(s) {
		switch {
		case word == "pre:":
			to = &m.SoftPre
		case word == "post:":
			to = &m.SoftPost
		case to != nil:
			*to = append(*to, word)
		}
	}
}

func (m *Module) setParam(key, value string) {
	name, text, _ := strings.Cut(value, ":")
	p := m.Params[name]
	if key == "parm" {
		p.Description = text
	} else {
		p.Type = text
	}
	if m.Params == nil {
		m.Params = map[string]Param{}
	}
	m.Params[name] = p
}

func endsWith(b blob.Blob, s string) (bool, error) {
	if b.Size() < int64(len(s)) {
		return false, nil
	}
	tail := make([]byte, len(s))
	err := blob.ReadFull(b, tail, b.Size()-int64(len(s)))
	return string(tail) == s, err
}
