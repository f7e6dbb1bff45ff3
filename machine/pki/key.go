package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"

	"github.com/bootwright/bootwright/internal/report"
)

// Algorithm is a kind of key, as command lines name it.
type Algorithm string

// The algorithms. RSA keys are for tokens that others verify, who may know nothing else.
const (
	Ed25519 Algorithm = "ed25519"
	ECDSA   Algorithm = "ecdsa" // on P-256
	RSA2048 Algorithm = "rsa-2048"
	RSA4096 Algorithm = "rsa-4096"
)

// The PEM types of keys. Nodes know Ed25519 keys, PKCS #8 inside, by a type of their own; openssl wants typePKCS8.
const (
	typeEd25519 = "ED25519 PRIVATE KEY"
	typeEC      = "EC PRIVATE KEY"
	typeRSA     = "RSA PRIVATE KEY"
	typePKCS8   = "PRIVATE KEY"
)

// GenerateKey makes a key and returns it as PEM.
func GenerateKey(a Algorithm) ([]byte, error) {
	key, err := generate(a)
	if err != nil {
		return nil, err
	}
	return marshalKey(key)
}

func generate(a Algorithm) (crypto.Signer, error) {
	switch a {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case ECDSA:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, 2048)
	case RSA4096:
		return rsa.GenerateKey(rand.Reader, 4096)
	}
	return nil, report.Errorf(report.Invalid, "unknown kind of key %q", a)
}

func marshalKey(key crypto.Signer) ([]byte, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return encode(typeRSA, x509.MarshalPKCS1PrivateKey(key)), nil
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(key)
		return encode(typeEC, der), err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode(typeEd25519, der), err
}

// MarshalPKCS8 is the key in text as PKCS #8 under its standard PEM type, which every program reads.
func MarshalPKCS8(text []byte) ([]byte, error) {
	key, err := ParseKey(text)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return encode(typePKCS8, der), err
}

// ParseKey reads a private key of any of the algorithms and PEM types. Errors do not repeat what they were given.
func ParseKey(text []byte) (crypto.Signer, error) {
	block, err := decode(text, "private key", typeEd25519, typeEC, typeRSA, typePKCS8)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case typeRSA:
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case typeEC:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, report.Errorf(report.Invalid, "the private key cannot be read")
	}
	switch key := key.(type) {
	case ed25519.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case *rsa.PrivateKey:
		return key, nil
	}
	return nil, report.Errorf(report.Unsupported, "a private key of type %T; want Ed25519, ECDSA or RSA", key)
}

// algorithm is that of key: what a key made to go with it should be.
func algorithm(key crypto.Signer) Algorithm {
	switch key.(type) {
	case *ecdsa.PrivateKey:
		return ECDSA
	case *rsa.PrivateKey:
		return RSA2048
	}
	return Ed25519
}

func samePublic(a, b crypto.PublicKey) bool {
	pub, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(b)
}

// deterministic signs without randomness, which ECDSA would take by default.
type deterministic struct{ crypto.Signer }

func (d deterministic) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.Signer.Sign(nil, digest, opts)
}
