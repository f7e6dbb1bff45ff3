package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net"
	"net/netip"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

// AuthorityValidity is how long an authority lives: ten years of 365 days.
const AuthorityValidity = 10 * 365 * 24 * time.Hour

// Subject is whom a certificate is for.
type Subject struct {
	CommonName   string
	Organization []string // of a client of the node API: its roles
	IPs          []netip.Addr
	DNSNames     []string
}

// Usage is what a certificate may be used for.
type Usage int

// The usages.
const (
	ForClient Usage = 1 << iota
	ForServer
)

// Validity is the time during which a certificate is valid: from From on, for For.
type Validity struct {
	From time.Time
	For  time.Duration
}

// NewAuthority makes a key and a certificate for it, signed with the key itself, that may sign others.
func NewAuthority(s Subject, a Algorithm, v Validity) (Pair, error) {
	key, err := generate(a)
	if err != nil {
		return Pair{}, err
	}
	template := newTemplate(s, v, ForServer|ForClient)
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage |= x509.KeyUsageCertSign
	crt, err := sign(template, template, key.Public(), key)
	if err != nil {
		return Pair{}, err
	}
	text, err := marshalKey(key)
	return Pair{crt, text}, err
}

// Issue makes a key of the authority's algorithm and a certificate for it that the authority signs.
func (p Pair) Issue(s Subject, v Validity, u Usage) (Pair, error) {
	ca, caKey, err := p.authority(v.From)
	if err != nil {
		return Pair{}, err
	}
	key, err := generate(algorithm(caKey))
	if err != nil {
		return Pair{}, err
	}
	crt, err := sign(newTemplate(s, v, u), ca, key.Public(), caKey)
	if err != nil {
		return Pair{}, err
	}
	text, err := marshalKey(key)
	return Pair{crt, text}, err
}

// NewRequest is a signing request (PKCS #10, as PEM) for s and the key, which is PEM too.
func NewRequest(key []byte, s Subject) ([]byte, error) {
	signer, err := ParseKey(key)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject:     s.name(),
		IPAddresses: s.ips(),
		DNSNames:    s.DNSNames,
	}, deterministic{signer})
	return encode(typeRequest, der), err
}

// Sign is the certificate, as PEM, for what a signing request asks: its subject, addresses and names; nothing else of it
// counts. A request that its own key has not signed is refused.
func (p Pair) Sign(request []byte, v Validity, u Usage) ([]byte, error) {
	block, err := decode(request, "signing request", typeRequest)
	if err != nil {
		return nil, err
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "the signing request cannot be read: %w", err)
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, report.Errorf(report.Invalid, "the signing request is not signed with its own key: %w", err)
	}
	ca, caKey, err := p.authority(v.From)
	if err != nil {
		return nil, err
	}
	template := newTemplate(Subject{}, v, u)
	template.Subject, template.IPAddresses, template.DNSNames = csr.Subject, csr.IPAddresses, csr.DNSNames
	return sign(template, ca, csr.PublicKey, caKey)
}

// CheckAuthority says what keeps the pair from signing others at a time.
func (p Pair) CheckAuthority(now time.Time) error {
	if err := p.Check(); err != nil {
		return err
	}
	crt, err := p.Certificate()
	switch {
	case err != nil:
		return err
	case !crt.IsCA:
		return report.Errorf(report.Invalid, "the certificate is not one of an authority")
	case now.After(crt.NotAfter):
		return report.Errorf(report.Invalid, "the certificate expired on %s", crt.NotAfter.UTC().Format(time.DateOnly))
	}
	return nil
}

// authority is p as what signs others at a time.
func (p Pair) authority(now time.Time) (*x509.Certificate, crypto.Signer, error) {
	if err := p.CheckAuthority(now); err != nil {
		return nil, nil, report.Errorf(report.Invalid, "authority: %w", err)
	}
	crt, err := p.Certificate()
	if err != nil {
		return nil, nil, err
	}
	key, err := ParseKey(p.Key)
	return crt, key, err
}

// Fingerprint is the SHA-256 of a certificate's public key in base64, by which people compare authorities.
func Fingerprint(crt *x509.Certificate) string {
	sum := sha256.Sum256(crt.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func newTemplate(s Subject, v Validity, u Usage) *x509.Certificate {
	t := &x509.Certificate{
		Subject:     s.name(),
		NotBefore:   v.From.UTC(),
		NotAfter:    v.From.Add(v.For).UTC(),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		IPAddresses: s.ips(),
		DNSNames:    s.DNSNames,
	}
	if u&ForServer != 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if u&ForClient != 0 {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return t
}

// sign is the certificate that parent's key makes of a template, as PEM, under a random serial number of 127 bits.
func sign(template, parent *x509.Certificate, pub crypto.PublicKey, key crypto.Signer) ([]byte, error) {
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] = serial[0]&0x7F | 0x40 // positive, and always of the same length
	template.SerialNumber = new(big.Int).SetBytes(serial)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, deterministic{key})
	if err != nil {
		return nil, report.Errorf(report.Invalid, "sign a certificate: %w", err)
	}
	return encode(typeCertificate, der), nil
}

func (s Subject) name() pkix.Name {
	return pkix.Name{CommonName: s.CommonName, Organization: s.Organization}
}

func (s Subject) ips() []net.IP {
	var out []net.IP
	for _, a := range s.IPs {
		out = append(out, a.AsSlice())
	}
	return out
}
