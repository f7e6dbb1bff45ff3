// Package signature verifies signatures of container images made with a key: those of cosign 2, as simple signing payloads
// (containers/image, docs/containers-signature.5.md; cosign's specs/SIGNATURE_SPEC.md), and those of cosign 3, as in-toto
// statements (v1) in DSSE envelopes inside sigstore bundles (v0.1 to v0.3). Keys are ECDSA on P-256, Ed25519 and RSA with
// PKCS #1 v1.5; digests are SHA-256.
//
// Where signatures are found is for builder/fetch to know. Left out: certificates of Fulcio, the transparency log Rekor and
// timestamps, which say something only where there is no key to trust; attestations that are no signatures, such as SBOMs;
// bundles with a message signature, which no tool makes for images; PGP.
package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// Media types of what holds a signature.
const (
	SimpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"
	bundlePrefix  = "application/vnd.dev.sigstore.bundle"
)

// Annotation is where the layer of a simple signing payload has its signature, in base64.
const Annotation = "dev.cosignproject.cosign/signature"

// Known reports whether a layer of this media type may hold a signature.
func Known(mediaType string) bool {
	return mediaType == SimpleSigning || strings.HasPrefix(mediaType, bundlePrefix)
}

// MayHold reports whether something of this artifact type (image-spec 1.1, manifest.md) may hold a signature; those without a
// type may.
func MayHold(artifactType string) bool {
	return artifactType == "" || artifactType == "application/vnd.dev.cosign.artifact.sig.v1+json" || strings.HasPrefix(artifactType, bundlePrefix)
}

// Key is a public key. The zero value verifies nothing.
type Key struct {
	id  blob.Digest
	pub crypto.PublicKey
}

// ID is the digest of the key's SubjectPublicKeyInfo in DER (RFC 5280, section 4.1.2.7).
func (k Key) ID() blob.Digest { return k.id }

// minRSA is the shortest RSA key that is taken, in bits.
const minRSA = 2048

// ParseKey reads the one public key in a PEM text. What is no such is Invalid, a key of another kind Unsupported.
func ParseKey(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	switch {
	case block == nil:
		return Key{}, report.WithHint(report.Errorf(report.Invalid, "no PEM text in it"), "it begins with -----BEGIN PUBLIC KEY-----")
	case strings.Contains(block.Type, "PRIVATE"):
		return Key{}, report.WithHint(report.Errorf(report.Invalid, "a private key, and the public one is needed"), "openssl pkey -in KEY -pubout")
	case block.Type != "PUBLIC KEY":
		return Key{}, report.Errorf(report.Invalid, "its PEM block is a %.40q, not a PUBLIC KEY", block.Type)
	case strings.TrimSpace(string(rest)) != "":
		return Key{}, report.Errorf(report.Invalid, "more in it than one key; give each key in a file of its own")
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return Key{}, report.Errorf(report.Invalid, "the key does not parse: %w", err)
	}
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return Key{}, report.Errorf(report.Unsupported, "an ECDSA key on %s; only P-256 is known", k.Params().Name)
		}
	case *rsa.PublicKey:
		if k.N.BitLen() < minRSA {
			return Key{}, report.Errorf(report.Unsupported, "an RSA key of %d bits; it should have %d or more", k.N.BitLen(), minRSA)
		}
	case ed25519.PublicKey:
	default:
		return Key{}, report.Errorf(report.Unsupported, "a key of type %T; ECDSA, Ed25519 and RSA are known", pub)
	}
	return Key{blob.SumBytes(block.Bytes), pub}, nil
}

// verifies reports whether sig is the key's signature of text.
func (k Key) verifies(text, sig []byte) bool {
	sum := sha256.Sum256(text)
	switch pub := k.pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(pub, sum[:], sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(pub, crypto.SHA256, sum[:], sig) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(pub, text, sig)
	}
	return false
}

// Candidate is a layer that may hold a signature.
type Candidate struct {
	MediaType   string
	Annotations map[string]string
	Content     []byte
}

// Verify returns the key that signed the image, or index, of digest d, by one of the candidates. Without one the error is
// Invalid and says what was found instead.
func Verify(d blob.Digest, keys []Key, candidates []Candidate) (Key, error) {
	if len(candidates) == 0 {
		return Key{}, report.Errorf(report.Invalid, "%s has no signature", d)
	}
	var last error
	for _, c := range candidates {
		k, err := c.verify(d, keys)
		if err == nil {
			return k, nil
		}
		last = err
	}
	if len(candidates) > 1 {
		last = fmt.Errorf("none of %d is good, and of the last: %w", len(candidates), last)
	}
	return Key{}, report.Errorf(report.Invalid, "%s has no valid signature: %w", d, last)
}

func (c Candidate) verify(d blob.Digest, keys []Key) (Key, error) {
	var s signed
	var err error
	if c.MediaType == SimpleSigning {
		s, err = c.simple()
	} else {
		s, err = c.bundle()
	}
	if err != nil {
		return Key{}, err
	}
	for _, k := range keys {
		for _, sig := range s.signatures {
			if k.verifies(s.text, sig) {
				return k, s.names(d)
			}
		}
	}
	return Key{}, fmt.Errorf("it was made with another key than the %d given", len(keys))
}

// signed is a text and its signatures. What it says counts only once one of them is verified.
type signed struct {
	text       []byte
	signatures [][]byte
	names      func(blob.Digest) error // nil if the text is about the digest, else what it is about
}

// simple is a payload that is signed as it is, beside its signature.
func (c Candidate) simple() (signed, error) {
	sig, err := base64.StdEncoding.DecodeString(c.Annotations[Annotation])
	if err != nil || len(sig) == 0 {
		return signed{}, fmt.Errorf("its annotation %s is no signature in base64", Annotation)
	}
	return signed{c.Content, [][]byte{sig}, func(d blob.Digest) error {
		var p struct {
			Critical struct {
				Image struct {
					Digest blob.Digest `json:"docker-manifest-digest"`
				} `json:"image"`
				Type string `json:"type"`
			} `json:"critical"`
		}
		if err := json.Unmarshal(c.Content, &p); err != nil {
			return fmt.Errorf("its payload is not JSON: %w", err)
		}
		if want := "cosign container image signature"; p.Critical.Type != want {
			return fmt.Errorf("its payload is of type %.100q, not %q", p.Critical.Type, want)
		}
		if p.Critical.Image.Digest != d {
			return fmt.Errorf("its payload is about %.100q", p.Critical.Image.Digest)
		}
		return nil
	}}, nil
}

// The types inside a bundle.
const (
	inTotoType    = "application/vnd.in-toto+json"
	signPredicate = "https://sigstore.dev/cosign/sign/v1"
)

// bundle is a DSSE envelope in a sigstore bundle (secure-systems-lab/dsse, protocol.md).
func (c Candidate) bundle() (signed, error) {
	var b struct {
		Envelope *struct {
			Payload     []byte `json:"payload"`
			PayloadType string `json:"payloadType"`
			Signatures  []struct {
				Sig []byte `json:"sig"`
			} `json:"signatures"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(c.Content, &b); err != nil {
		return signed{}, fmt.Errorf("its bundle is not JSON: %w", err)
	}
	e := b.Envelope
	if e == nil || e.PayloadType != inTotoType {
		return signed{}, fmt.Errorf("its bundle has no envelope with a payload of type %s", inTotoType)
	}
	text := fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(e.PayloadType), e.PayloadType, len(e.Payload), e.Payload)
	s := signed{text: text, names: func(d blob.Digest) error { return aboutImage(e.Payload, d) }}
	for _, sig := range e.Signatures {
		s.signatures = append(s.signatures, sig.Sig)
	}
	return s, nil
}

// aboutImage wants a statement that says of d what a signature says (in-toto attestation framework v1, statement.md).
func aboutImage(payload []byte, d blob.Digest) error {
	var p struct {
		Type    string `json:"_type"`
		Subject []struct {
			Digest map[string]string `json:"digest"`
		} `json:"subject"`
		PredicateType string `json:"predicateType"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return fmt.Errorf("its statement is not JSON: %w", err)
	}
	if p.Type != "https://in-toto.io/Statement/v1" || p.PredicateType != signPredicate {
		return fmt.Errorf("its statement %.100q is no signature of an image", p.PredicateType)
	}
	for _, s := range p.Subject {
		if "sha256:"+s.Digest["sha256"] == string(d) {
			return nil
		}
	}
	return fmt.Errorf("its statement is about another image")
}
