package check

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"time"
)

// The notations that are PEM in base64. What is in a key is never said.
const (
	certificate = "certificate"
	key         = "key"
)

// IsPEM reports whether a notation is one of PEM in base64.
func IsPEM(notation string) bool { return notation == certificate || notation == key }

// PEM checks text that is PEM in base64: a "certificate" or a "key".
func (p Place) PEM(what, s string) {
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		p.Fault("encode the PEM file: base64 -w0 FILE", "is not base64")
		return
	}
	if what == key {
		p.key(data)
		return
	}
	p.certificates(string(data), p.Fault)
}

// Certificates checks text that is one PEM certificate or several. One that cannot be used among good ones is a warning: it
// is left out.
func (p Place) Certificates(text string) {
	if good := p.certificates(text, func(string, string, ...any) {}); good > 0 {
		p.certificates(text, p.Warn)
		return
	}
	p.certificates(text, p.Fault)
}

// certificates tells complain what is wrong with certificates, and returns how many are good.
func (p Place) certificates(text string, complain func(hint, format string, args ...any)) (good int) {
	rest, n := []byte(text), 0
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		n++
		if block.Type != "CERTIFICATE" {
			complain("", "PEM block %d is a %.40s, want a CERTIFICATE", n, block.Type)
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			complain("", "certificate %d does not parse: %v", n, err)
			continue
		}
		good++
		p.validity(cert, n, complain)
	}
	switch {
	case n == 0:
		complain("it begins with -----BEGIN CERTIFICATE-----", "there is no PEM certificate in it")
	case strings.Contains(string(rest), "-----BEGIN"):
		complain("", "what follows certificate %d does not parse", n)
	}
	return good
}

// soon is how long before its end a certificate is warned about.
const soon = 30 * 24 * time.Hour

func (p Place) validity(cert *x509.Certificate, n int, complain func(hint, format string, args ...any)) {
	now := p.options.Now
	switch {
	case now.IsZero():
	case now.After(cert.NotAfter):
		complain("", "certificate %d expired on %s", n, cert.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(cert.NotBefore):
		p.Warn("look at the clock", "certificate %d is not valid before %s", n, cert.NotBefore.UTC().Format(time.DateTime))
	case now.Add(soon).After(cert.NotAfter):
		p.Warn("", "certificate %d expires on %s", n, cert.NotAfter.UTC().Format(time.DateOnly))
	}
}

func (p Place) key(data []byte) {
	block, rest := pem.Decode(data)
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		p.Fault("", "is not one PEM block")
		return
	}
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		_, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		_, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY", "ED25519 PRIVATE KEY":
		_, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		p.Fault("", "is a PEM %.40s, want a private key", block.Type)
		return
	}
	if err != nil {
		p.Fault("", "the private key does not parse")
	}
}
