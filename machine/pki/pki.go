// Package pki makes the keys and certificates of a cluster: its four authorities, client certificates whose organization
// carries roles, and certificates for signing requests (RFC 5280, RFC 2986, PEM as in RFC 7468).
//
// The time comes in with every call. Randomness is that of crypto/rand, which Go lets nobody else replace either: tests that
// want the same bytes twice use testing/cryptotest. Signatures are deterministic (RFC 6979, RFC 8032, PKCS #1 v1.5).
//
// Left out: revocation, intermediate authorities, and encrypted keys. No error shows any part of a key.
package pki

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"

	"github.com/bootwright/bootwright/internal/report"
)

// The PEM types of what is not a key.
const (
	typeCertificate = "CERTIFICATE"
	typeRequest     = "CERTIFICATE REQUEST"
)

// PEM is a certificate or a key as PEM text. In documents it is in base64 once more; printed, it says only how long it is.
type PEM []byte

// MarshalText is p in base64.
func (p PEM) MarshalText() ([]byte, error) { return base64.StdEncoding.AppendEncode(nil, p), nil }

// UnmarshalText reads base64.
func (p *PEM) UnmarshalText(text []byte) error {
	data, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return report.Errorf(report.Invalid, "this is not base64")
	}
	*p = data
	return nil
}

func (p PEM) String() string { return fmt.Sprintf("(%d bytes of PEM)", len(p)) }

// GoString is String: %#v shows no key either.
func (p PEM) GoString() string { return p.String() }

// Pair is a certificate and its private key. Key is empty where only the certificate is known.
type Pair struct {
	Crt PEM `yaml:"crt"`
	Key PEM `yaml:"key"`
}

// Certificate parses the certificate of the pair.
func (p Pair) Certificate() (*x509.Certificate, error) { return ParseCertificate(p.Crt) }

// Check says what is wrong with the pair: either half does not parse, or they do not belong together.
func (p Pair) Check() error {
	crt, err := p.Certificate()
	if err != nil {
		return err
	}
	key, err := ParseKey(p.Key)
	if err != nil {
		return err
	}
	if !samePublic(crt.PublicKey, key.Public()) {
		return report.Errorf(report.Invalid, "the key is not that of the certificate")
	}
	return nil
}

// ParseCertificate reads the one certificate in text.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	block, err := decode(text, "certificate", typeCertificate)
	if err != nil {
		return nil, err
	}
	crt, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, report.Errorf(report.Invalid, "the certificate cannot be read: %w", err)
	}
	return crt, nil
}

// decode is the first PEM block of text, which must be of one of types; what names it in messages.
func decode(text []byte, what string, types ...string) (*pem.Block, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, report.Errorf(report.Invalid, "no %s: this is not PEM text", what)
	}
	for _, t := range types {
		if block.Type == t {
			return block, nil
		}
	}
	return nil, report.Errorf(report.Invalid, "no %s: the PEM text holds a %.40q", what, block.Type)
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
