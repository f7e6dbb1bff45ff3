// Package extservice is the description of an extension service: a container that an extension brings and the machine
// runs. The builder checks it and the node runs by it. Field names are those of extensions in the field
// (/usr/local/etc/containers/*.yaml); mounts are those of the OCI runtime specification 1.0 (config.md, "Mounts").
//
// Left out: user namespaces of mounts (uidMappings, gidMappings).
package extservice

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
)

// Where services are in a root file system: a description NAME.yaml each, and the containers' root file systems, each
// under the name of its service.
const (
	SpecFolder = "usr/local/etc/containers"
	RootFolder = "usr/local/lib/containers"
)

// Spec describes one service.
type Spec struct {
	Name         string       `yaml:"name"` // of a-z, 0-9, '-' and '_'
	Container    Container    `yaml:"container"`
	Depends      []Dependency `yaml:"depends"` // all that must be before it starts
	Restart      string       `yaml:"restart"` // always (also where empty), never or untilSuccess
	LogToConsole bool         `yaml:"logToConsole"`
}

// Container is what runs.
type Container struct {
	Entrypoint      string   `yaml:"entrypoint"`      // path of the program in the container's root file system
	Args            []string `yaml:"args"`            // its arguments
	Environment     []string `yaml:"environment"`     // NAME=VALUE
	EnvironmentFile string   `yaml:"environmentFile"` // deprecated: a path outside the container, of such lines
	Mounts          []Mount  `yaml:"mounts"`
	Security        Security `yaml:"security"`
}

// Mount is a file system, or a file or folder of the machine's, inside the container.
type Mount struct {
	Destination string   `yaml:"destination"` // path in the container
	Type        string   `yaml:"type"`        // bind, tmpfs …
	Source      string   `yaml:"source"`      // path outside of the container, where the type has one
	Options     []string `yaml:"options"`     // rbind, ro …
}

// Security loosens or tightens what is around the container.
type Security struct {
	WriteableSysfs    bool     `yaml:"writeableSysfs"`
	MaskedPaths       []string `yaml:"maskedPaths"`
	ReadonlyPaths     []string `yaml:"readonlyPaths"`
	WriteableRootfs   bool     `yaml:"writeableRootfs"`
	RootfsPropagation string   `yaml:"rootfsPropagation"` // private, slave, shared or unbindable, each also with "r" before it
}

// Dependency is one thing to wait for: exactly one field is set.
type Dependency struct {
	Service       string   `yaml:"service"`       // name of a service that runs
	Path          string   `yaml:"path"`          // file or folder that is there
	Network       []string `yaml:"network"`       // addresses, connectivity, hostname, etcfiles
	Time          bool     `yaml:"time"`          // the clock is right
	Configuration bool     `yaml:"configuration"` // the service has an ExtensionServiceConfig
}

// Parse reads and checks a description. The error is Invalid, holds report.Findings and says everything at once; name is
// what it calls the document. A description that could be decoded is there whatever the error.
func Parse(name string, data []byte) (*Spec, error) {
	doc, err := yamldoc.Parse(name, data, yamldoc.Options{MaxBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	var s Spec
	if err := doc.Decode(&s); err != nil {
		return nil, err
	}
	c := checker{doc: doc}
	c.spec(&s)
	c.findings.Sort()
	return &s, c.findings.Err()
}

type checker struct {
	doc      *yamldoc.Doc
	findings report.Findings
}

func (c *checker) add(path, hint, format string, args ...any) {
	c.findings = append(c.findings, c.doc.Finding(path, fmt.Sprintf(format, args...), hint))
}

func (c *checker) spec(s *Spec) {
	switch {
	case s.Name == "":
		c.add("name", "", "the service needs a name")
	case strings.Trim(s.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
		c.add("name", "use a-z, 0-9, - and _", "%.100q cannot name a service", s.Name)
	}
	c.word("restart", s.Restart, "always", "never", "untilSuccess")
	c.container(&s.Container)
	for i, d := range s.Depends {
		c.dependency(yamldoc.IndexPath("depends", i), d, s.Name)
	}
}

// word wants value to be empty or one of words.
func (c *checker) word(at, value string, words ...string) {
	if value != "" && !slices.Contains(words, value) {
		c.add(at, "one of "+strings.Join(words, ", "), "unknown word %.100q", value)
	}
}

func (c *checker) absolute(at, p string) {
	if !path.IsAbs(p) {
		c.add(at, "begin it with /", "%.100q is not an absolute path", p)
	}
}

func (c *checker) container(k *Container) {
	if k.Entrypoint == "" {
		c.add("container.entrypoint", "name the program in the container's root file system", "the container needs an entrypoint")
	}
	for i, e := range k.Environment {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			c.add(yamldoc.IndexPath("container.environment", i), "write NAME=VALUE", "%.100q sets no variable", e)
		}
	}
	if k.EnvironmentFile != "" {
		c.absolute("container.environmentFile", k.EnvironmentFile)
	}
	for i, m := range k.Mounts {
		at := yamldoc.IndexPath("container.mounts", i)
		c.absolute(at+".destination", m.Destination)
		if m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind") {
			c.absolute(at+".source", m.Source)
		}
	}
	for i, p := range k.Security.MaskedPaths {
		c.absolute(yamldoc.IndexPath("container.security.maskedPaths", i), p)
	}
	for i, p := range k.Security.ReadonlyPaths {
		c.absolute(yamldoc.IndexPath("container.security.readonlyPaths", i), p)
	}
	c.word("container.security.rootfsPropagation", strings.TrimPrefix(k.Security.RootfsPropagation, "r"), "private", "slave", "shared", "unbindable")
}

func (c *checker) dependency(at string, d Dependency, self string) {
	set := 0
	for _, is := range []bool{d.Service != "", d.Path != "", len(d.Network) > 0, d.Time, d.Configuration} {
		if is {
			set++
		}
	}
	if set != 1 {
		c.add(at, "one of service, path, network, time, configuration; an item each", "the item names %d things to wait for, not one", set)
	}
	if d.Service != "" && d.Service == self {
		c.add(at+".service", "", "the service waits for itself")
	}
	if d.Path != "" {
		c.absolute(at+".path", d.Path)
	}
	for i, n := range d.Network {
		c.word(yamldoc.IndexPath(at+".network", i), n, "addresses", "connectivity", "hostname", "etcfiles")
	}
}
