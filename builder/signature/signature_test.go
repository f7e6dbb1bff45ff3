package signature_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/signature"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/report/reporttest"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func image() blob.Digest { return blob.SumBytes([]byte("image")) }

// signer signs a text as openssl or cosign do.
type signer struct {
	crypto.Signer
	key signature.Key
}

func newSigner(t testing.TB, private crypto.Signer) signer {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	must(t, err)
	key, err := signature.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	must(t, err)
	if key.ID() != blob.SumBytes(der) {
		t.Errorf("ID %s", key.ID())
	}
	return signer{private, key}
}

func (s signer) sign(t testing.TB, text []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(text)
	in, opts := sum[:], crypto.SignerOpts(crypto.SHA256)
	if _, ok := s.Signer.(ed25519.PrivateKey); ok {
		in, opts = text, crypto.Hash(0)
	}
	sig, err := s.Sign(rand.Reader, in, opts)
	must(t, err)
	return sig
}

func ec(t testing.TB) signer {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return newSigner(t, k)
}

func payload(d blob.Digest) []byte {
	return fmt.Appendf(nil, `{"critical":{"identity":{"docker-reference":"a.b/c"},"image":{"docker-manifest-digest":%q},"type":"cosign container image signature"},"optional":null}`, d)
}

func (s signer) simple(t testing.TB, text []byte) signature.Candidate {
	return signature.Candidate{
		MediaType: signature.SimpleSigning, Content: text,
		Annotations: map[string]string{signature.Annotation: base64.StdEncoding.EncodeToString(s.sign(t, text))},
	}
}

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

func statement(d blob.Digest, predicate string) []byte {
	return fmt.Appendf(nil, `{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q,"predicate":{}}`, d.Hex(), predicate)
}

func (s signer) bundle(t testing.TB, text []byte) signature.Candidate {
	const kind = "application/vnd.in-toto+json"
	type object = map[string]any
	sig := s.sign(t, fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(text), text))
	p, err := json.Marshal(object{
		"mediaType": bundleType, "verificationMaterial": object{"publicKey": object{"hint": "x"}},
		"dsseEnvelope": object{"payload": text, "payloadType": kind, "signatures": []object{{"sig": sig}}},
	})
	must(t, err)
	return signature.Candidate{MediaType: bundleType, Content: p}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	other := ec(t)
	for name, s := range map[string]signer{"ECDSA": ec(t), "RSA": newSigner(t, rsaKey), "Ed25519": newSigner(t, edKey)} {
		for _, c := range []signature.Candidate{s.simple(t, payload(image())), s.bundle(t, statement(image(), "https://sigstore.dev/cosign/sign/v1"))} {
			got, err := signature.Verify(image(), []signature.Key{other.key, s.key}, []signature.Candidate{other.simple(t, []byte("{}")), c})
			if err != nil || got.ID() != s.key.ID() {
				t.Errorf("%s, %s: %v, %v", name, c.MediaType, got.ID(), err)
			}
			for i := range c.Content {
				bad := c
				bad.Content = append([]byte(nil), c.Content...)
				bad.Content[i] ^= 1
				if _, err := signature.Verify(image(), []signature.Key{s.key}, []signature.Candidate{bad}); err == nil && c.MediaType == signature.SimpleSigning {
					t.Fatalf("%s: a payload verifies with byte %d changed", name, i)
				}
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, other := ec(t), ec(t)
	elsewhere := blob.SumBytes([]byte("another"))
	swapped := s.simple(t, payload(elsewhere))
	swapped.Content = payload(image())
	mute := s.simple(t, payload(image()))
	mute.Annotations = nil
	const sign = "https://sigstore.dev/cosign/sign/v1"
	for _, c := range []struct {
		name string
		with []signature.Candidate
		want string
	}{
		{"none", nil, "has no signature"},
		{"another key", []signature.Candidate{other.simple(t, payload(image()))}, "another key than the 1 given"},
		{"another key's bundle", []signature.Candidate{other.bundle(t, statement(image(), sign))}, "another key"},
		{"another image", []signature.Candidate{s.simple(t, payload(elsewhere))}, "payload is about \"" + string(elsewhere)},
		{"a payload from elsewhere", []signature.Candidate{swapped}, "another key"},
		{"no annotation", []signature.Candidate{mute}, "no signature in base64"},
		{"not cosign's payload", []signature.Candidate{s.simple(t, []byte(`{"critical":{"type":"x"}}`))}, `of type "x"`},
		{"no JSON", []signature.Candidate{s.simple(t, []byte("x"))}, "not JSON"},
		{"an SBOM", []signature.Candidate{s.bundle(t, statement(image(), "https://spdx.dev/Document"))}, "no signature of an image"},
		{"another image's bundle", []signature.Candidate{s.bundle(t, statement(elsewhere, sign))}, "another image"},
		{"no envelope", []signature.Candidate{{MediaType: bundleType, Content: []byte(`{"messageSignature":{}}`)}}, "no envelope"},
		{"several", []signature.Candidate{mute, mute}, "none of 2 is good"},
	} {
		_, err := signature.Verify(image(), []signature.Key{s.key}, c.with)
		reporttest.Want(t, err, report.Invalid, string(image()), c.want)
	}
	if _, err := signature.Verify(image(), []signature.Key{{}}, []signature.Candidate{s.simple(t, payload(image()))}); err == nil {
		t.Error("the zero key verifies")
	}
}

func TestParseKeyRefuses(t *testing.T) {
	t.Parallel()
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	public := func(k crypto.Signer) string {
		der, err := x509.MarshalPKIXPublicKey(k.Public())
		must(t, err)
		return text("PUBLIC KEY", der)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	good := public(ec(t).Signer)
	for _, c := range []struct {
		text string
		kind report.Kind
		want string
	}{
		{"", report.Invalid, "no PEM"},
		{text("ENCRYPTED SIGSTORE PRIVATE KEY", nil), report.Invalid, "a private key"},
		{text("CERTIFICATE", nil), report.Invalid, "CERTIFICATE"},
		{text("PUBLIC KEY", []byte("x")), report.Invalid, "does not parse"},
		{good + good, report.Invalid, "more in it than one key"},
		{public(p384), report.Unsupported, "P-384"},
	} {
		_, err := signature.ParseKey([]byte(c.text))
		reporttest.Want(t, err, c.kind, c.want)
	}
}

// TestOpenSSL verifies what openssl signed with keys that it made.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	oracle.Need(t, "openssl")
	for name, args := range map[string]string{
		"ECDSA": "-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "RSA": "-algorithm RSA -pkeyopt rsa_keygen_bits:3072", "Ed25519": "-algorithm ED25519",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			oracle.Run(t, "openssl", append(append([]string{"genpkey"}, strings.Fields(args)...), "-out", at("key"))...)
			oracle.Run(t, "openssl", "pkey", "-in", at("key"), "-pubout", "-out", at("pub"))
			must(t, os.WriteFile(at("payload"), payload(image()), 0o600))
			sign := []string{"dgst", "-sha256", "-sign", at("key"), "-out", at("sig"), at("payload")}
			if name == "Ed25519" { // which hashes by itself
				sign = []string{"pkeyutl", "-sign", "-inkey", at("key"), "-rawin", "-in", at("payload"), "-out", at("sig")}
			}
			oracle.Run(t, "openssl", sign...)
			text, err := os.ReadFile(at("pub"))
			must(t, err)
			key, err := signature.ParseKey(text)
			must(t, err)
			sig, err := os.ReadFile(at("sig"))
			must(t, err)
			c := signature.Candidate{
				MediaType: signature.SimpleSigning, Content: payload(image()),
				Annotations: map[string]string{signature.Annotation: base64.StdEncoding.EncodeToString(sig)},
			}
			if _, err := signature.Verify(image(), []signature.Key{key}, []signature.Candidate{c}); err != nil {
				t.Error(err)
			}
		})
	}
}

func FuzzVerify(f *testing.F) {
	s := ec(f)
	for _, c := range []signature.Candidate{s.simple(f, payload(image())), s.bundle(f, statement(image(), "x"))} {
		f.Add(c.MediaType, c.Content, c.Annotations[signature.Annotation])
	}
	f.Fuzz(func(t *testing.T, mediaType string, content []byte, sig string) {
		c := signature.Candidate{MediaType: mediaType, Content: content, Annotations: map[string]string{signature.Annotation: sig}}
		if k, err := signature.Verify(blob.SumBytes([]byte("nobody signed this")), []signature.Key{s.key}, []signature.Candidate{c}); err == nil {
			t.Errorf("verified by %s", k.ID())
		}
	})
}
