// Package registries says where the images of a registry are asked for, as the part machine.registries of a machine
// configuration has it: mirrors in order, then the registry itself; with which path, TLS and credentials. It only decides.
// Builders and machines follow the same rules, which are those of containerd's hosts.toml (docs/hosts.md of containerd 1.7)
// as Talos Linux 1.9 writes them.
//
// The registry "*" stands for those that have no mirrors of their own. A host's settings are found by the host of an
// endpoint, and count for every endpoint there; TLS of "*" is refused, and its credentials are given to nobody, as containerd
// does not either.
//
// Left out: header fields, capabilities other than pulling, ca and client files by path.
package registries

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Wildcard names, in a configuration, every registry that has no mirrors of its own.
const Wildcard = "*"

// Rules is a configuration that was checked. The zero value, and a nil one, know of no mirrors.
type Rules struct {
	Roots   []byte // PEM certificates to trust beside the system's; may be empty
	mirrors map[string]mirror
	hosts   map[string]Host
}

type mirror struct {
	endpoints    []*url.URL // with the path that requests have
	skipFallback bool
}

// Host is how to talk to a host. The zero value is plain TLS without credentials.
type Host struct {
	CA                 []byte // PEM certificates to trust beside the system's; may be empty
	Certificate, Key   []byte // PEM, of the client; both or none
	InsecureSkipVerify bool
	Auth               *Auth // nil means none are configured
}

// Auth is what a host is told who asks. Either of Username and Password, Auth and IdentityToken is enough.
type Auth struct {
	Username, Password string
	Auth               string // base64 of username:password
	IdentityToken      string // OAuth2 refresh token
}

// Endpoint is one place to ask.
type Endpoint struct {
	URL    *url.URL // http or https; REPOSITORY/manifests/… follows its path, which has no slash at its end
	Origin bool     // the registry itself, not a mirror
	Host   Host
}

// New checks a configuration. The errors are Invalid; credentials are never in them.
func New(c v1alpha1.Registries) (*Rules, error) {
	r := &Rules{mirrors: map[string]mirror{}, hosts: map[string]Host{}}
	for name, m := range c.Mirrors {
		out := mirror{skipFallback: isTrue(m.SkipFallback)}
		for _, text := range m.Endpoints {
			u, err := endpoint(text, isTrue(m.OverridePath))
			if err != nil {
				return nil, report.Errorf(report.Invalid, "mirror of %s: %w", name, err)
			}
			out.endpoints = append(out.endpoints, u)
		}
		r.mirrors[name] = out
	}
	for name, config := range c.Config {
		h, err := newHost(name, config)
		if err != nil {
			return nil, report.Errorf(report.Invalid, "registry %s: %w", name, err)
		}
		r.hosts[name] = h
	}
	return r, nil
}

// endpoint is the URL below which a mirror has its repositories. Where the path is not as is, it ends in /v2 (containerd's
// override_path).
func endpoint(text string, asIs bool) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, report.Errorf(report.Invalid, "error parsing endpoint: %.200q is no URL", text)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, report.Errorf(report.Invalid, "error parsing endpoint %.200q: it should be http:// or https:// and a host", u.Redacted())
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, report.WithHint(report.Errorf(report.Invalid, "error parsing endpoint %.200q: it has more than a host and a path", u.Redacted()),
			"credentials are in config.%s.auth", u.Host)
	}
	p := strings.TrimSuffix(path.Clean("/"+u.Path), "/")
	if !asIs && !strings.HasSuffix(p, "/v2") {
		p += "/v2"
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: p}, nil
}

func newHost(name string, c v1alpha1.Registry) (Host, error) {
	var h Host
	if a := c.Auth; a != nil {
		h.Auth = &Auth{Username: a.Username, Password: a.Password, Auth: a.Auth, IdentityToken: a.IdentityToken}
	}
	if c.TLS == nil {
		return h, nil
	}
	if name == Wildcard {
		return h, report.WithHint(report.Errorf(report.Invalid, "wildcard host TLS configuration is not supported"), "name each host")
	}
	h.InsecureSkipVerify = isTrue(c.TLS.InsecureSkipVerify)
	var err error
	if h.CA, err = decode(c.TLS.CA); err != nil || len(h.CA) > 0 && !x509.NewCertPool().AppendCertsFromPEM(h.CA) {
		return h, report.Errorf(report.Invalid, "tls.ca is no PEM certificate in base64")
	}
	identity := c.TLS.ClientIdentity
	if identity == nil {
		return h, nil
	}
	var kerr error
	h.Certificate, err = decode(identity.Crt)
	if h.Key, kerr = decode(identity.Key); err != nil || kerr != nil {
		return h, report.Errorf(report.Invalid, "tls.clientIdentity: crt and key should be PEM in base64")
	}
	if _, err := tls.X509KeyPair(h.Certificate, h.Key); err != nil {
		return h, report.Errorf(report.Invalid, "tls.clientIdentity: crt and key do not go together: %w", err)
	}
	return h, nil
}

// decode reads base64 that may be broken into lines.
func decode(text string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
}

func isTrue(b *bool) bool { return b != nil && *b }

// hub is how Docker's registry is called, and where it is.
const (
	hub     = "docker.io"
	hubHost = "registry-1.docker.io"
)

// Endpoints are the places to ask for images of a registry, such as ghcr.io or localhost:5000, in their order. There are none
// where a mirror has neither endpoints nor a fallback, which Load refuses.
func (r *Rules) Endpoints(registry string) []Endpoint {
	if registry == "index."+hub || registry == hubHost {
		registry = hub
	}
	var m mirror
	if r != nil {
		var ok bool
		if m, ok = r.mirrors[registry]; !ok {
			m = r.mirrors[Wildcard]
		}
	}
	origin := r.Origin(registry)
	if !m.skipFallback {
		m.endpoints = append(slices.Clip(m.endpoints), origin.URL)
	}
	var out []Endpoint
	for _, u := range m.endpoints {
		e := Endpoint{URL: u, Origin: *u == *origin.URL, Host: r.Host(u)}
		if !slices.ContainsFunc(out, func(have Endpoint) bool { return *have.URL == *u }) {
			out = append(out, e)
		}
	}
	return out
}

// Origin is the registry itself, whatever its mirrors.
func (r *Rules) Origin(registry string) Endpoint {
	u := &url.URL{Scheme: "https", Host: registry, Path: "/v2"}
	if registry == hub || registry == "index."+hub {
		u.Host = hubHost
	}
	return Endpoint{URL: u, Origin: true, Host: r.Host(u)}
}

// Host is how to talk to the host of a URL.
func (r *Rules) Host(u *url.URL) Host {
	if r == nil {
		return Host{}
	}
	names := []string{u.Host}
	port := map[string]string{"http": "80", "https": "443"}[u.Scheme]
	switch u.Port() {
	case "":
		names = append(names, u.Host+":"+port)
	case port:
		names = append(names, strings.TrimSuffix(u.Host, ":"+port))
	}
	if u.Host == hubHost || u.Host == "index."+hub {
		names = append(names, hub)
	}
	for _, name := range names {
		if h, ok := r.hosts[name]; ok {
			return h
		}
	}
	return Host{}
}
