// Package trust keeps the machine's store of certificate authorities: the base's, and those of the TrustedRootsConfig
// documents of the machine configuration, in the form of Talos Linux 1.9. Certificates that do not parse are left out, one
// by one.
package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

// Bundle is the store, where programs look for it.
const Bundle = "/etc/ssl/certs/ca-certificates.crt"

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Replacing
}

// Trust is for one goroutine, except for Pool.
type Trust struct {
	Pool watch.Value[*x509.CertPool] // of the authorities that the machine trusts

	m       Machine
	base    []byte // the bundle that the machine came with
	known   bool   // what base is
	written string
}

// New has written nothing yet.
func New(m Machine) *Trust { return &Trust{m: m} }

// Apply makes the store what the base and a configuration, which may be nil, say. To call it again tries again what failed.
func (t *Trust) Apply(c *config.Config) bootreport.Trust {
	if !t.known {
		base, err := t.m.ReadFile(Bundle)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // the base's must not be lost
			return bootreport.Trust{Fault: err.Error()}
		}
		t.base, t.known, t.written = base, true, string(base)
	}
	var out bootreport.Trust
	good, _ := parse(t.base) // a base may have some that Go does not take
	bundle := bytes.NewBuffer(bytes.Clone(t.base))
	if c != nil {
		for i, d := range config.All[*kinds.TrustedRootsConfig](c) {
			certs, faults := parse([]byte(d.Certificates))
			section(bundle, i > 0, d.Name, certs)
			good = append(good, certs...)
			out.Documents = append(out.Documents, bootreport.TrustedRoots{Name: d.Name, Certificates: len(certs), Faults: faults})
		}
	}
	pool := x509.NewCertPool()
	for _, cert := range good {
		pool.AddCert(cert)
	}
	out.Certificates = len(good)
	if err := t.write(bundle.String()); err != nil {
		out.Fault = err.Error()
	}
	t.Pool.Set(pool)
	return out
}

// Also are the authorities of the store with those of a configuration, or where that is nil, of text: for what is done before
// a configuration is applied, or known.
func Also(m kernel.Files, c *config.Config, text []byte) *x509.CertPool {
	all, _ := m.ReadFile(Bundle) // without it nobody is trusted
	if c != nil {
		text = nil
		for _, d := range config.All[*kinds.TrustedRootsConfig](c) {
			text = append(append(text, d.Certificates...), '\n')
		}
	}
	certs, _ := parse(append(append(all, '\n'), text...)) // what does not parse is reported with the configuration
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert)
	}
	return pool
}

// section appends what a document adds to the bundle.
func section(bundle *bytes.Buffer, another bool, name string, certs []*x509.Certificate) {
	if another {
		bundle.WriteString("\n")
	}
	fmt.Fprintf(bundle, "\n%s:\n%s\n", name, strings.Repeat("=", len(name)+1))
	for _, cert := range certs {
		pem.Encode(bundle, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	}
}

func (t *Trust) write(bundle string) error {
	if t.written == bundle {
		return nil
	}
	err := t.m.ReplaceFile("/etc", strings.TrimPrefix(Bundle, "/etc/"), []byte(bundle), 0o644)
	if err == nil {
		t.written = bundle
	}
	return err
}

// parse is the certificates in text, and what is wrong with the others; they count from 1.
func parse(text []byte) (certs []*x509.Certificate, faults []string) {
	const begin = "-----BEGIN "
	parts := strings.Split(string(text), begin)
	for i, part := range parts[1:] {
		block, _ := pem.Decode([]byte(begin + part))
		if block == nil {
			faults = append(faults, fmt.Sprintf("certificate %d is not PEM", i+1))
			continue
		}
		if block.Type != "CERTIFICATE" {
			faults = append(faults, fmt.Sprintf("block %d is no certificate but a %.40s", i+1, block.Type))
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			faults = append(faults, fmt.Sprintf("certificate %d: %v", i+1, err))
			continue
		}
		certs = append(certs, cert)
	}
	if len(parts) == 1 && len(bytes.TrimSpace(text)) > 0 {
		faults = append(faults, "there is no PEM in it")
	}
	return certs, faults
}
