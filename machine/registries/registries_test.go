package registries_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
	"github.com/bootwright/bootwright/machine/registries"
)

// The configurations are those of the guide's page about pull-through caches, and what its reference says.
const (
	caches = `
machine:
  registries:
    mirrors:
      docker.io:
        endpoints:
          - http://10.5.0.1:5000
      ghcr.io:
        endpoints:
          - http://10.5.0.1:5004
          - https://cache.example/sub/
`
	harbor = `
machine:
  registries:
    mirrors:
      docker.io:
        endpoints:
          - http://harbor/v2/proxy-docker.io
        overridePath: true
      ghcr.io:
        endpoints:
          - http://harbor/v2/proxy-ghcr.io/
        overridePath: true
        skipFallback: true
    config:
      harbor:
        auth:
          username: admin
          password: password
      docker.io:
        auth: {auth: YTpi}
`
	wildcard = `
machine:
  registries:
    mirrors:
      "*":
        endpoints: ["https://all.example:443", "https://all.example/v2"]
        skipFallback: true
      quay.io:
        endpoints: ["https://quay.io"]
    config:
      all.example:
        tls: {insecureSkipVerify: true}
        auth: {identityToken: t}
      "*":
        auth: {username: u, password: p}
`
)

// show is a line an endpoint.
func show(endpoints []registries.Endpoint) string {
	var out []string
	for _, e := range endpoints {
		s := e.URL.String()
		if e.Origin {
			s += " origin"
		}
		if a := e.Host.Auth; a != nil {
			s += " " + a.Username + a.Auth + a.IdentityToken
		}
		if e.Host.InsecureSkipVerify {
			s += " insecure"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ config, registry, want string }{
		{"", "ghcr.io", "https://ghcr.io/v2 origin"},
		{"", "docker.io", "https://registry-1.docker.io/v2 origin"},
		{caches, "docker.io", "http://10.5.0.1:5000/v2, https://registry-1.docker.io/v2 origin"},
		{caches, "index.docker.io", "http://10.5.0.1:5000/v2, https://registry-1.docker.io/v2 origin"},
		{caches, "ghcr.io", "http://10.5.0.1:5004/v2, https://cache.example/sub/v2, https://ghcr.io/v2 origin"},
		{caches, "quay.io", "https://quay.io/v2 origin"},
		{harbor, "docker.io", "http://harbor/v2/proxy-docker.io admin, https://registry-1.docker.io/v2 origin YTpi"},
		{harbor, "ghcr.io", "http://harbor/v2/proxy-ghcr.io admin"},
		{harbor, "harbor:80", "https://harbor:80/v2 origin"},
		{wildcard, "ghcr.io", "https://all.example:443/v2 t insecure, https://all.example/v2 t insecure"},
		{wildcard, "quay.io", "https://quay.io/v2 origin"},
	} {
		var r *registries.Rules
		if c.config != "" {
			var err error
			if r, err = registries.Load("x.yaml", []byte(c.config)); err != nil {
				t.Fatal(err)
			}
		}
		if got := show(r.Endpoints(c.registry)); got != c.want {
			t.Errorf("%s of\n%s\nis %s, want %s", c.registry, c.config, got, c.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	in := func(yaml string) string { return "machine:\n  registries:\n    " + yaml }
	for _, c := range []struct{ config, want string }{
		{"machine: {}", "nothing of registries"},
		{"machine: {type: worker}", "nothing of registries"},
		{in("mirror: {}"), "x.yaml:3:5: machine.registries.mirror: unknown"},
		{in(`mirrors: {a.b: {endpoints: ["ftp://x"]}}`), "x.yaml:3:33: machine.registries.mirrors"},
		{in(`mirrors: {a.b: {endpoints: ["http://u:p@x"]}}`), "more than a host and a path"},
		{in(`mirrors: {a.b: {endpoints: ["http://x?y"]}}`), "more than a host and a path"},
		{in(`mirrors: {"a/b": {endpoints: ["http://x"]}}`), "a/b"},
		{in(`config: {"*": {tls: {insecureSkipVerify: true}}}`), "wildcard host TLS configuration is not supported"},
		{in("config: {x: {tls: {ca: '!'}}}"), "is not base64"},
		{in("config: {x: {tls: {ca: eA==}}}"), "no PEM certificate"},
		{in("config: {x: {tls: {clientIdentity: {crt: eA==, key: eA==}}}}"), "machine.registries.config"},
		{"apiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: a\ncertificates: x", "no PEM certificate"},
	} {
		_, err := registries.Load("x.yaml", []byte(c.config))
		reporttest.Want(t, err, report.Invalid, "x.yaml", c.want)
		if err != nil && strings.Contains(err.Error(), "u:p@") {
			t.Errorf("the error tells a password: %v", err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{caches, harbor, wildcard} {
		f.Add([]byte(s), "ghcr.io")
	}
	f.Fuzz(func(t *testing.T, data []byte, registry string) {
		r, err := registries.Load("x", data)
		if err != nil {
			return
		}
		for _, e := range r.Endpoints(registry) {
			if strings.HasSuffix(e.URL.Path, "/") || e.URL.Scheme != "http" && e.URL.Scheme != "https" || e.URL.User != nil {
				t.Errorf("endpoint %s", e.URL)
			}
		}
	})
}

func Example() {
	r, err := registries.Load("caches.yaml", []byte(caches))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	for _, e := range r.Endpoints("docker.io") {
		fmt.Println(e.URL)
	}
	// Output:
	// http://10.5.0.1:5000/v2
	// https://registry-1.docker.io/v2
}
