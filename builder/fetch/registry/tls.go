package registry

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/registries"
)

// perHost sends each request with the TLS settings of the host that it goes to. A redirect to another host leaves the client
// certificate, and the trust in a host's own certificate, behind.
type perHost struct {
	rules *registries.Rules
	base  *http.Transport

	mu sync.Mutex
	by map[string]http.RoundTripper // by scheme and host
}

// newTransport is base, or the default for nil, with the rules' TLS. A base of another type is for tests, and stays.
func newTransport(base http.RoundTripper, rules *registries.Rules) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	t, ok := base.(*http.Transport)
	if !ok || rules == nil {
		return base
	}
	return &perHost{rules: rules, base: t, by: map[string]http.RoundTripper{}}
}

func (p *perHost) RoundTrip(req *http.Request) (*http.Response, error) {
	t, err := p.transport(req)
	if err != nil {
		return nil, err
	}
	return t.RoundTrip(req)
}

func (p *perHost) transport(req *http.Request) (http.RoundTripper, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := req.URL.Scheme + "://" + req.URL.Host
	if t := p.by[key]; t != nil {
		return t, nil
	}
	t := p.base.Clone()
	config, err := tlsConfig(t.TLSClientConfig, p.rules.Roots, p.rules.Host(req.URL))
	if err != nil {
		return nil, err
	}
	t.TLSClientConfig = config
	p.by[key] = t
	return t, nil
}

// tlsConfig is base with the settings of a host.
func tlsConfig(base *tls.Config, roots []byte, h registries.Host) (*tls.Config, error) {
	if base == nil {
		base = &tls.Config{}
	}
	config := base.Clone()
	config.InsecureSkipVerify = config.InsecureSkipVerify || h.InsecureSkipVerify
	if len(roots)+len(h.CA) > 0 {
		pool := config.RootCAs
		if pool == nil {
			var err error
			if pool, err = x509.SystemCertPool(); err != nil {
				pool = x509.NewCertPool() // a machine without any
			}
		}
		config.RootCAs = pool.Clone()
		config.RootCAs.AppendCertsFromPEM(roots)
		config.RootCAs.AppendCertsFromPEM(h.CA)
	}
	if len(h.Certificate) > 0 {
		pair, err := tls.X509KeyPair(h.Certificate, h.Key)
		if err != nil {
			return nil, report.Errorf(report.Invalid, "client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
