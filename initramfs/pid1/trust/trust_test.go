package trust

import (
	"strings"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Load("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestApply: good certificates join those of the base, bad ones are named, and what is taken away is gone.
func TestApply(t *testing.T) {
	example := new(kinds.TrustedRootsConfig).Example()
	_, indented, _ := strings.Cut(example, "|-\n")
	cert := strings.ReplaceAll(indented, "  ", "")
	bad := "  -----BEGIN CERTIFICATE-----\n  AAAA\n  -----END CERTIFICATE-----\n  -----BEGIN CERTIFICATE-----\n  !\n"
	second := "---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: second\ncertificates: |-\n" + bad + indented
	m := fake.New(t, map[string]string{"etc/ssl/certs/ca-certificates.crt": cert})
	tr := New(m)
	if said := tr.Apply(nil); said.Certificates != 1 || said.Fault != "" {
		t.Errorf("%+v", said)
	}
	said := tr.Apply(load(t, example+second))
	if said.Certificates != 3 || len(said.Documents) != 2 || said.Documents[1].Certificates != 1 || len(said.Documents[1].Faults) != 2 {
		t.Errorf("%+v", said)
	}
	want := cert + "\ncustom-ca:\n==========\n" + cert + "\n\nsecond:\n=======\n" + cert
	if p, err := m.ReadFile(Bundle); string(p) != want {
		t.Errorf("%s, %v; want %s", p, err, want)
	}
	if pool, set := tr.Pool.Get(); !set || pool == nil {
		t.Error("no pool")
	}
	tr.Apply(load(t, "version: v1alpha1\nmachine: {type: worker}\n"))
	if p, err := m.ReadFile(Bundle); string(p) != cert {
		t.Errorf("%s, %v", p, err)
	}
}
