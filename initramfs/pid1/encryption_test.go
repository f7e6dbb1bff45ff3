package pid1

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/reporting"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/meta"
)

// authority is a certificate, PEM and parsed.
func authority(t *testing.T, number int64) (string, *x509.Certificate) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(number), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, public, private)
	must(t, err)
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), parsed
}

// TestKeyMachine: keys are made of the UUID and of the authorities that META has, and of those of the configuration when there
// is one.
func TestKeyMachine(t *testing.T) {
	const firmware, override = "9a3b1f5c-72d4-4e86-b0c9-5d8e12f7a643", "1c8d5e2f-a907-4b36-8f4a-e37b60d9c251"
	base, inBase := authority(t, 1)
	kept, inMeta := authority(t, 2)
	given, inConfig := authority(t, 3)
	m := fake.New(t, map[string]string{"etc/ssl/certs/ca-certificates.crt": base, "sys/class/dmi/id/product_uuid": firmware + "\n"})
	b := &boot{m: m, report: reporting.New(), volumes: volumes.New(volumes.Deps{})}
	check := func(when, uuid string, trusted ...*x509.Certificate) {
		t.Helper()
		machine := b.keyMachine()
		pool := x509.NewCertPool()
		for _, c := range trusted {
			pool.AddCert(c)
		}
		if machine.UUID != uuid || !machine.TLS.RootCAs.Equal(pool) {
			t.Errorf("%s: UUID %s, want %s; or other authorities", when, machine.UUID, uuid)
		}
		key := keys.New(v1alpha1.EncryptionKey{NodeID: &struct{}{}}, "STATE", machine)
		if k, err := key.Find(t.Context(), nil); err != nil || !bytes.Equal(k.Secret, []byte(uuid+"STATE")) {
			t.Errorf("%s: %q, %v", when, k.Secret, err)
		}
	}
	check("nothing in META", firmware, inBase)
	b.volumes.Status().Set(volumes.Status{Meta: meta.Values{meta.UUIDOverride: []byte(override), meta.StateAuthorities: []byte(kept)}})
	check("META alone", override, inBase, inMeta)
	c, err := config.Load("c", []byte(configareatest.Worker("x")+"---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: a\ncertificates: |\n  "+
		strings.ReplaceAll(strings.TrimSpace(given), "\n", "\n  ")+"\n"))
	must(t, err)
	b.config.Set(c)
	check("a configuration", override, inBase, inConfig)
}
