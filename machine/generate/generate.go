// Package generate writes the first configuration of a cluster's machines, and the client's, from its secrets: the main
// document with the fields and defaults of v1.9, optionally with what each field means and with examples in comments.
//
// Everything is decided by Options: the same options give the same bytes.
package generate

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/client"
	"github.com/bootwright/bootwright/machine/pki"
	"github.com/bootwright/bootwright/machine/secrets"
)

// Type is what a machine is in its cluster.
type Type string

// The types.
const (
	ControlPlane Type = "controlplane"
	Worker       Type = "worker"
)

// Options say what to generate. ClusterName, Endpoint and Secrets have to be given.
type Options struct {
	ClusterName string
	Endpoint    string // of the Kubernetes API, such as https://10.0.0.1:6443
	Secrets     *secrets.Bundle

	KubernetesVersion string           // with or without a leading v; empty means DefaultKubernetesVersion
	InstallDisk       string           // empty means DefaultInstallDisk
	InstallImage      string           // reference of an installer; empty leaves the field out
	AdditionalSANs    []string         // names and addresses for the certificates of both APIs
	RegistryMirrors   []RegistryMirror // in the order in which they are asked
	Docs, Examples    bool             // say in comments what fields mean, and show fields that are not set
}

// RegistryMirror has images of Registry pulled from Endpoint.
type RegistryMirror struct {
	Registry string // a host, or * for any
	Endpoint string // a URL
}

// The defaults are v1.9's.
const (
	DefaultKubernetesVersion = "1.32.0"
	DefaultInstallDisk       = "/dev/sda"
)

// Check says what is wrong with the options.
func (o Options) Check() error {
	switch {
	case o.ClusterName == "" || strings.ContainsFunc(o.ClusterName, func(r rune) bool { return r <= ' ' || r == 0x7F }):
		return report.Errorf(report.Invalid, "the cluster name %q is empty or holds blanks", o.ClusterName)
	case o.Secrets == nil:
		return report.Errorf(report.Invalid, "no secrets")
	case o.KubernetesVersion != "" && !regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(o.KubernetesVersion):
		return report.WithHint(report.Errorf(report.Invalid, "%q is not a version of Kubernetes", o.KubernetesVersion),
			"write all three numbers, such as %s", DefaultKubernetesVersion)
	}
	for _, name := range o.AdditionalSANs {
		if !isHost(name) {
			return report.WithHint(report.Errorf(report.Invalid, "%q cannot be in a certificate", name), "want a DNS name or an IP address, without port")
		}
	}
	for _, m := range o.RegistryMirrors {
		if u, err := url.Parse(m.Endpoint); m.Registry == "" || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			return report.WithHint(report.Errorf(report.Invalid, "%q is not a mirror", m.Registry+"="+m.Endpoint),
				"write it as docker.io=https://mirror.example")
		}
	}
	return checkEndpoint(o.Endpoint)
}

// checkEndpoint wants https://HOST[:PORT].
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case err == nil && u.Scheme == "https" && isHost(u.Hostname()) && isPort(u.Port()) && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil:
		return nil
	case strings.Contains(endpoint, "://") && (err != nil || u.Scheme == "https"):
		return report.WithHint(report.Errorf(report.Invalid, "%q is not the URL of a Kubernetes API", endpoint), "write https://HOST:PORT")
	}
	_, host, found := strings.Cut(endpoint, "://")
	if !found {
		host = endpoint
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "6443")
	}
	return report.WithHint(report.Errorf(report.Invalid, "the endpoint %q is not an https URL", endpoint), "did you mean https://%s?", host)
}

// isPort reports whether port, in digits, is one or empty.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && n > 0
}

// isHost reports whether name is an IP address or a DNS name, a wildcard included.
func isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return len(name) <= 253 && regexp.MustCompile(`^(\*\.)?([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.?$`).MatchString(name)
}

// Machine is the configuration of machines of a type, a YAML document.
func Machine(t Type, o Options) ([]byte, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.KubernetesVersion = strings.TrimPrefix(o.KubernetesVersion, "v"); o.KubernetesVersion == "" {
		o.KubernetesVersion = DefaultKubernetesVersion
	}
	if o.InstallDisk == "" {
		o.InstallDisk = DefaultInstallDisk
	}
	return o.document(t).marshal(comments{o.Docs, o.Examples})
}

// Client is the configuration of a client of the node API with one context, called like the cluster. It has roles for as
// long as v says.
func Client(o Options, roles []string, v pki.Validity) (*client.Config, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	pair, err := o.Secrets.Client(roles, v)
	if err != nil {
		return nil, err
	}
	return client.New(o.ClusterName, client.Context{CA: o.Secrets.Certs.OS.Crt, Crt: pair.Crt, Key: pair.Key}), nil
}

// apiServerSANs are the endpoint's host and the additional ones, each once.
func (o Options) apiServerSANs() []string {
	u, err := url.Parse(o.Endpoint)
	if err != nil {
		return o.AdditionalSANs
	}
	out := []string{u.Hostname()}
	for _, name := range o.AdditionalSANs {
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
