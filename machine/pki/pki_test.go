package pki

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/bootwright/bootwright/internal/oracle"
)

func now() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }

func year() Validity { return Validity{From: now(), For: 365 * 24 * time.Hour} }

func authority(t *testing.T, a Algorithm) Pair {
	t.Helper()
	ca, err := NewAuthority(Subject{Organization: []string{"talos"}}, a, Validity{From: now(), For: AuthorityValidity})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// file writes text where openssl can read it.
func file(t *testing.T, text []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x.pem")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestOpenSSLVerifies lets openssl judge authorities, what they issue, and what they make of signing requests.
func TestOpenSSLVerifies(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{Ed25519, ECDSA, RSA2048} {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			ca := authority(t, a)
			leaf, err := ca.Issue(Subject{Organization: []string{RoleReader, RoleEtcdBackup}}, year(), ForClient)
			if err != nil {
				t.Fatal(err)
			}
			request, err := NewRequest(leaf.Key, Subject{CommonName: "node", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.2"),
				netip.MustParseAddr("fd00::2")}, DNSNames: []string{"node.example"}})
			if err != nil {
				t.Fatal(err)
			}
			server, err := ca.Sign(request, year(), ForServer)
			if err != nil {
				t.Fatal(err)
			}
			caFile, at := file(t, ca.Crt), fmt.Sprint(now().Unix()+1)
			verify := func(crt []byte, purpose string) {
				if out := oracle.Run(t, "openssl", "verify", "-attime", at, "-x509_strict", "-purpose", purpose, "-CAfile", caFile, file(t, crt)); !strings.Contains(out, ": OK") {
					t.Errorf("%s: openssl says %s", purpose, out)
				}
			}
			verify(ca.Crt, "any")
			verify(leaf.Crt, "sslclient")
			verify(server, "sslserver")
			if out, err := oracle.TryRun(t, "openssl", "verify", "-attime", at, "-purpose", "sslserver", "-CAfile", caFile, file(t, leaf.Crt)); err == nil {
				t.Errorf("openssl takes a client's certificate for a server's: %s", out)
			}
			oracle.Run(t, "openssl", "req", "-verify", "-noout", "-in", file(t, request))
			if out := oracle.Run(t, "openssl", "x509", "-noout", "-subject", "-in", file(t, leaf.Crt)); strings.TrimSpace(out) != "subject=O = os:reader + O = os:etcd:backup" &&
				strings.TrimSpace(out) != "subject=O = os:reader, O = os:etcd:backup" {
				t.Errorf("openssl reads roles as %q", out)
			}
			out := oracle.Run(t, "openssl", "x509", "-noout", "-ext", "subjectAltName", "-in", file(t, server))
			for _, want := range []string{"DNS:node.example", "IP Address:10.0.0.2", "IP Address:FD00:0:0:0:0:0:0:2"} {
				if !strings.Contains(out, want) {
					t.Errorf("openssl does not see %s in %s", want, out)
				}
			}
			key, err := MarshalPKCS8(leaf.Key)
			if err != nil {
				t.Fatal(err)
			}
			oracle.Run(t, "openssl", "pkey", "-noout", "-check", "-in", file(t, key))
			if _, err := tls.X509KeyPair(leaf.Crt, leaf.Key); err != nil {
				t.Errorf("as they are, certificate and key make no pair for TLS: %v", err)
			}
		})
	}
}

// TestKeyTypes fixes the PEM types, which nodes look at.
func TestKeyTypes(t *testing.T) {
	t.Parallel()
	for a, want := range map[Algorithm]string{Ed25519: "ED25519 PRIVATE KEY", ECDSA: "EC PRIVATE KEY", RSA2048: "RSA PRIVATE KEY"} {
		key, err := GenerateKey(a)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(key, []byte("-----BEGIN "+want+"-----\n")) {
			t.Errorf("%s: %.40s", a, key)
		}
		p8, err := MarshalPKCS8(key)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseKey(p8); err != nil || algorithm(back) != a {
			t.Errorf("%s as PKCS #8: %v", a, err)
		}
	}
	if _, err := GenerateKey("dsa"); err == nil {
		t.Error("a DSA key is made")
	}
}

// TestKeysOfOpenSSL reads what openssl makes.
func TestKeysOfOpenSSL(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-algorithm", "ed25519"},
		{"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
		{"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	} {
		out := filepath.Join(t.TempDir(), "key")
		oracle.Run(t, "openssl", append([]string{"genpkey", "-out", out}, args...)...)
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseKey(text); err != nil {
			t.Errorf("%s: %v", args[1], err)
		}
	}
}

func TestDeterministic(t *testing.T) {
	make := func(seed uint64) (all []byte) {
		t.Run("", func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			for _, a := range []Algorithm{Ed25519, ECDSA, RSA2048} {
				ca := authority(t, a)
				leaf, err := ca.Issue(Subject{Organization: Roles()}, year(), ForClient)
				if err != nil {
					t.Fatal(err)
				}
				all = slices.Concat(all, ca.Crt, ca.Key, leaf.Crt, leaf.Key)
			}
		})
		return all
	}
	if !bytes.Equal(make(1), make(1)) {
		t.Error("the same randomness and time give other bytes")
	}
	if bytes.Equal(make(1), make(2)) {
		t.Error("other randomness gives the same bytes")
	}
}

func TestValidity(t *testing.T) {
	t.Parallel()
	ca := authority(t, Ed25519)
	leaf, err := ca.Issue(Subject{Organization: []string{RoleAdmin}}, Validity{From: now(), For: time.Minute}, ForClient)
	if err != nil {
		t.Fatal(err)
	}
	crt, err := leaf.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if !crt.NotBefore.Equal(now()) || !crt.NotAfter.Equal(now().Add(time.Minute)) {
		t.Errorf("valid from %s to %s", crt.NotBefore, crt.NotAfter)
	}
	root, err := ca.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if got := root.NotAfter.Sub(root.NotBefore); got != 87600*time.Hour {
		t.Errorf("an authority lives %s", got)
	}
}

// TestRefused gives wrong input to everything; no message may show a part of a key.
func TestRefused(t *testing.T) {
	t.Parallel()
	ca, other := authority(t, Ed25519), authority(t, ECDSA)
	leaf, err := ca.Issue(Subject{Organization: []string{RoleAdmin}}, year(), ForClient)
	if err != nil {
		t.Fatal(err)
	}
	request, err := NewRequest(leaf.Key, Subject{CommonName: "x"})
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(leaf.Key), "\n")[1]
	broken := []byte("-----BEGIN ED25519 PRIVATE KEY-----\n" + secret[:40] + "\n-----END ED25519 PRIVATE KEY-----\n")
	_, brokenKey := ParseKey(broken)
	_, noKey := ParseKey([]byte(secret))
	_, crtForKey := ParseKey(leaf.Crt)
	_, keyForCrt := ParseCertificate(leaf.Key)
	_, noAuthority := leaf.Sign(request, year(), ForClient)
	_, mixed := Pair{ca.Crt, other.Key}.Sign(request, year(), ForClient)
	_, crtOnly := Pair{Crt: ca.Crt}.Sign(request, year(), ForClient)
	_, late := ca.Sign(request, Validity{From: now().Add(2 * AuthorityValidity), For: time.Hour}, ForClient)
	_, noRequest := ca.Sign(leaf.Crt, year(), ForClient)
	_, forged := ca.Sign(forge(t, request), year(), ForClient)
	for _, c := range []struct {
		err  error
		want string
	}{
		{brokenKey, "the private key cannot be read"},
		{noKey, "no private key: this is not PEM text"},
		{crtForKey, `no private key: the PEM text holds a "CERTIFICATE"`},
		{keyForCrt, `no certificate: the PEM text holds a "ED25519 PRIVATE KEY"`},
		{noAuthority, "authority: the certificate is not one of an authority"},
		{mixed, "authority: the key is not that of the certificate"},
		{crtOnly, "authority: no private key: this is not PEM text"},
		{late, "authority: the certificate expired on 2036-01-29"},
		{noRequest, `no signing request: the PEM text holds a "CERTIFICATE"`},
		{forged, "the signing request is not signed with its own key"},
	} {
		if c.err == nil || !strings.HasPrefix(c.err.Error(), c.want) {
			t.Errorf("got %v, want %s", c.err, c.want)
		} else if strings.Contains(c.err.Error(), secret[:20]) {
			t.Errorf("an error shows a key: %v", c.err)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if out := fmt.Sprintf(format, leaf); strings.Contains(out, secret) || !strings.Contains(out, "bytes of PEM") {
			t.Errorf("%s prints %s", format, out)
		}
	}
}

// forge changes the signature of a signing request.
func forge(t *testing.T, request []byte) []byte {
	t.Helper()
	block, err := decode(request, "", typeRequest)
	if err != nil {
		t.Fatal(err)
	}
	block.Bytes[len(block.Bytes)-1] ^= 1
	return encode(typeRequest, block.Bytes)
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for roles, want := range map[string]string{
		"":                         "no role",
		"os:admin":                 "",
		"os:reader os:etcd:backup": "",
		"os:raeder":                `unknown role "os:raeder"`,
		"os:admin os:admin":        "role os:admin is given twice",
	} {
		err := CheckRoles(strings.Fields(roles))
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("%q: %v", roles, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	key, err := GenerateKey(Ed25519)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(key)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := ParseKey(text); err == nil {
			if out, err := marshalKey(key); err != nil || len(out) == 0 {
				t.Errorf("a key that was read cannot be written: %v", err)
			}
		}
		ParseCertificate(text)
		Pair{text, text}.Sign(text, year(), ForClient)
	})
}
