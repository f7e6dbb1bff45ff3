package secrets

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/pki"
)

func now() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }

func newBundle(t testing.TB) (*Bundle, []byte) {
	t.Helper()
	b, err := New(now(), Options{ServiceAccount: pki.ECDSA})
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b, text
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	_, text := newBundle(t)
	b, err := Load("secrets.yaml", text, now())
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.Marshal()
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("%v: load and save change the bundle", err)
	}
}

// TestFieldNames fixes the names and their order, which users' files have.
func TestFieldNames(t *testing.T) {
	t.Parallel()
	_, text := newBundle(t)
	var names []string
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, ":")
		names = append(names, name)
	}
	const want = `cluster
    id
    secret
secrets
    bootstraptoken
    secretboxencryptionsecret
trustdinfo
    token
certs
    etcd
        crt
        key
    k8s
        crt
        key
    k8saggregator
        crt
        key
    k8sserviceaccount
        key
    os
        crt
        key`
	if got := strings.Join(names, "\n"); got != want {
		t.Errorf("fields\n%s", got)
	}
}

func TestDeterministic(t *testing.T) {
	text := func() (out []byte) {
		t.Run("", func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, 7)
			_, out = newBundle(t)
		})
		return out
	}
	if !bytes.Equal(text(), text()) {
		t.Error("the same randomness and time give another bundle")
	}
}

// TestAuthorities lets openssl judge what New makes, and a client's certificate from it.
func TestAuthorities(t *testing.T) {
	t.Parallel()
	b, err := New(now(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, err := b.Client([]string{pki.RoleOperator}, pki.Validity{From: now(), For: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprint(now().Unix() + 1)
	dir := t.TempDir()
	file := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		pair               pki.Pair
		subject, algorithm string
	}{
		"etcd":       {b.Certs.Etcd, "O = etcd", "id-ecPublicKey"},
		"k8s":        {b.Certs.K8s, "O = kubernetes", "id-ecPublicKey"},
		"aggregator": {b.Certs.K8sAggregator, "CN = front-proxy", "id-ecPublicKey"},
		"os":         {b.Certs.OS, "O = talos", "ED25519"},
	} {
		crt := file(name, c.pair.Crt)
		oracle.Run(t, "openssl", "verify", "-attime", at, "-CAfile", crt, crt)
		out := oracle.Run(t, "openssl", "x509", "-noout", "-text", "-in", crt)
		for _, want := range []string{"Subject: " + c.subject, "Public Key Algorithm: " + c.algorithm, "CA:TRUE", "Not After : Jan 29 12:00:00 2036 GMT"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: openssl does not see %s in\n%s", name, want, out)
			}
		}
	}
	oracle.Run(t, "openssl", "verify", "-attime", at, "-purpose", "sslclient", "-CAfile", file("ca", b.Certs.OS.Crt), file("client", client.Crt))
	if out := oracle.Run(t, "openssl", "x509", "-noout", "-subject", "-in", file("c", client.Crt)); strings.TrimSpace(out) != "subject=O = os:operator" {
		t.Errorf("openssl reads %q", out)
	}
	if out := oracle.Run(t, "openssl", "pkey", "-noout", "-text", "-in", file("sa", b.Certs.K8sServiceAccount.Key)); !strings.Contains(out, "2048 bit") {
		t.Errorf("the service account key is %s", out)
	}
	if _, err := b.Client([]string{"os:amin"}, pki.Validity{}); report.HintOf(err) != "did you mean os:admin?" {
		t.Errorf("an unknown role: %v", err)
	}
}

func TestTokensAreEven(t *testing.T) {
	t.Parallel()
	count := map[rune]int{}
	for _, c := range letters(36_000) {
		count[c]++
	}
	for c, n := range count {
		if n < 700 || n > 1300 || len(count) != 36 {
			t.Errorf("%c is there %d times of 36,000; %d letters", c, n, len(count))
		}
	}
}

// TestRefused changes a good bundle in one place each. Every message names the place, and none shows a secret.
func TestRefused(t *testing.T) {
	t.Parallel()
	b, text := newBundle(t)
	crt := base64.StdEncoding.EncodeToString(b.Certs.K8s.Crt)
	etcd := base64.StdEncoding.EncodeToString(b.Certs.Etcd.Crt)
	for _, c := range []struct{ old, new, want string }{
		{b.Cluster.ID, "c2hvcnQ=", "f:2:9: cluster.id: want 32 bytes in base64"},
		{b.Cluster.Secret, "", "f:3:12: cluster.secret: missing"},
		{b.Secrets.BootstrapToken, "abc", "f:5:21: secrets.bootstraptoken: not a token"},
		{b.Secrets.BootstrapToken, "[abcdef.0123456789abcdef]", "f:5:21: secrets.bootstraptoken: found something else, want text"},
		{"    secretboxencryptionsecret: " + b.Secrets.SecretboxKey + "\n", "", "f:4:1: secrets.secretboxencryptionsecret: missing"},
		{"secrets:\n", "secrets:\n    aescbcencryptionsecret: " + b.Secrets.SecretboxKey + "\n", "f:4:1: secrets: both"},
		{"token: " + b.TrustdInfo.Token, "tokne: " + b.TrustdInfo.Token, "f:8:5: trustdinfo.tokne: unknown field"},
		{crt, etcd, "f:13:5: certs.k8s: the key is not that of the certificate"},
		{crt, "a!", "f:14:14: certs.k8s.crt: this is not base64"},
		{crt, "aGVsbG8=", "certs.k8s: no certificate: this is not PEM text"},
		{"version", "", ""},
	} {
		data := strings.Replace(string(text), c.old, c.new, 1)
		_, err := Load("f", []byte(data), now())
		if c.want == "" {
			if err != nil {
				t.Errorf("the good bundle: %v", err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q for %.20q: %v, want %s", c.new, c.old, err, c.want)
		} else if report.KindOf(err) != report.Invalid {
			t.Errorf("%v is not invalid", err)
		}
		for _, secret := range []string{b.Secrets.BootstrapToken, b.Secrets.SecretboxKey, b.TrustdInfo.Token, "0123456789abcdef"} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("an error shows a secret: %v", err)
			}
		}
	}
	if _, err := Load("f", text, now().Add(11*365*24*time.Hour)); err == nil || strings.Count(err.Error(), "expired on 2036-01-29") != 4 {
		t.Errorf("after eleven years: %v", err)
	}
	if _, err := Load("f", []byte("{}"), now()); err == nil || strings.Count(err.Error(), "missing") != 9 {
		t.Errorf("an empty bundle: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	_, text := newBundle(f)
	f.Add(text)
	f.Add([]byte("certs: {os: {crt: aGk=}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Load("f", data, now())
		if err != nil {
			return
		}
		text, err := b.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Load("f", text, now()); err != nil {
			t.Errorf("what was loaded and saved is refused: %v", err)
		}
	})
}

// BenchmarkNew measures a new cluster's secrets with each kind of service account key.
func BenchmarkNew(b *testing.B) {
	for _, a := range []pki.Algorithm{pki.ECDSA, pki.RSA2048, pki.RSA4096} {
		b.Run(string(a), func(b *testing.B) {
			for b.Loop() {
				if _, err := New(now(), Options{ServiceAccount: a}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
