// Package client is what clients of the node API are configured with: the file called talosconfig, whose contexts name a
// cluster's endpoints and nodes, its authority, and the client's certificate and key. No error shows any part of a key.
package client

import (
	"crypto/x509"
	"fmt"
	"maps"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/yamldoc"
	"github.com/bootwright/bootwright/machine/pki"
)

// Config is a client configuration file. The zero value has no contexts.
type Config struct {
	Context  string              `yaml:"context"` // the current one; empty for none
	Contexts map[string]*Context `yaml:"contexts"`
}

// Context is how to reach one cluster, and as whom.
type Context struct {
	Target    string   `yaml:"target,omitempty"` // the endpoint in files of old; Load moves it to Endpoints
	Endpoints []string `yaml:"endpoints"`        // that the client connects to
	Nodes     []string `yaml:"nodes,omitempty"`  // that requests are for, from the endpoints' point of view
	CA        pki.PEM  `yaml:"ca,omitempty"`
	Crt       pki.PEM  `yaml:"crt,omitempty"`
	Key       pki.PEM  `yaml:"key,omitempty"`
	Auth      *Auth    `yaml:"auth,omitempty"`
	Cluster   string   `yaml:"cluster,omitempty"`
}

// Auth is another proof of identity than a certificate; it is carried only.
type Auth struct {
	Basic    *Basic    `yaml:"basic,omitempty"`
	SideroV1 *SideroV1 `yaml:"siderov1,omitempty"`
}

// Basic is a name and a password.
type Basic struct {
	Username string `yaml:"username"`
	Password string `yaml:"password"`
}

// SideroV1 names a key that is kept elsewhere.
type SideroV1 struct {
	Identity string `yaml:"identity"`
}

// New is a configuration with one context, which is current.
func New(name string, c Context) *Config {
	return &Config{Context: name, Contexts: map[string]*Context{name: &c}}
}

// Load reads a client configuration file; name is what messages call it. Certificates and keys may be anything in base64.
func Load(name string, data []byte) (*Config, error) {
	var c Config
	if err := yamldoc.Decode(name, data, &c); err != nil {
		return nil, yamldoc.Redact(err)
	}
	for name, context := range c.Contexts {
		if context == nil {
			c.Contexts[name] = &Context{}
			continue
		}
		if context.Target != "" {
			context.Endpoints, context.Target = append(context.Endpoints, context.Target), ""
		}
	}
	return &c, nil
}

// Marshal is the configuration as a YAML document.
func (c *Config) Marshal() ([]byte, error) {
	out := Config{Context: c.Context, Contexts: map[string]*Context{}}
	for name, context := range c.Contexts {
		copied := *context
		if copied.Endpoints == nil {
			copied.Endpoints = []string{}
		}
		out.Contexts[name] = &copied
	}
	return yaml.Dump(out, yaml.WithV3Defaults())
}

// Names are the names of the contexts, sorted.
func (c *Config) Names() []string { return slices.Sorted(maps.Keys(c.Contexts)) }

// Select is the context called name and that name; an empty name means the current context.
func (c *Config) Select(name string) (string, *Context, error) {
	if name == "" {
		name = c.Context
	}
	if name == "" {
		return "", nil, report.WithHint(report.Errorf(report.Invalid, "no context is current"), "choose one with `config context NAME`")
	}
	context, ok := c.Contexts[name]
	if ok {
		return name, context, nil
	}
	err := report.Errorf(report.NotFound, "there is no context %q", name)
	if near := report.Nearest(name, c.Names()); near != "" {
		err = report.WithHint(err, "did you mean %s?", near)
	}
	return "", nil, err
}

// Rename is a context that Merge had to give another name.
type Rename struct{ From, To string }

// Merge adds the contexts of other and makes its current one current. A context whose name is taken becomes NAME-1 or the
// next that is free, unless it is the very same context.
func (c *Config) Merge(other *Config) []Rename {
	if c.Contexts == nil {
		c.Contexts = map[string]*Context{}
	}
	var renames []Rename
	names := map[string]string{} // by name in other
	for _, name := range other.Names() {
		to := name
		for i := 1; c.Contexts[to] != nil && !c.Contexts[to].equal(other.Contexts[name]); i++ {
			to = fmt.Sprintf("%s-%d", name, i)
		}
		if to != name {
			renames = append(renames, Rename{name, to})
		}
		names[name], c.Contexts[to] = to, other.Contexts[name]
	}
	if to := names[other.Context]; to != "" {
		c.Context = to
	}
	return renames
}

func (c *Context) equal(o *Context) bool {
	a, errA := yaml.Dump(c)
	b, errB := yaml.Dump(o)
	return errA == nil && errB == nil && string(a) == string(b)
}

// Certificate is that of the client, parsed.
func (c *Context) Certificate() (*x509.Certificate, error) { return pki.ParseCertificate(c.Crt) }
