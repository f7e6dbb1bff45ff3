package keys

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/tpm"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/kms"
)

const uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"

func TestPassphrases(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config v1alpha1.EncryptionKey
		uuid   string
		want   string
		fault  string
	}{
		{"static", v1alpha1.EncryptionKey{Slot: 3, Static: &v1alpha1.StaticKey{Passphrase: "supersecret"}}, "", "supersecret", ""},
		{"no passphrase", v1alpha1.EncryptionKey{Static: &v1alpha1.StaticKey{}}, "", "", "the passphrase is empty"},
		{"nodeID", v1alpha1.EncryptionKey{Slot: 3, NodeID: &struct{}{}}, uuid, uuid + "STATE", ""},
		{"no UUID", v1alpha1.EncryptionKey{NodeID: &struct{}{}}, "", "", "machine UUID is not populated"},
		{"zeros", v1alpha1.EncryptionKey{NodeID: &struct{}{}}, "00000000-0000-0000-0000-000000000000", "", "entropy check failed"},
		{"nearly all the same", v1alpha1.EncryptionKey{NodeID: &struct{}{}}, "03000200-0400-0500-0006-000700080009", "", "entropy check failed"},
	} {
		k := New(tt.config, "STATE", Machine{UUID: tt.uuid})
		made, data, err := k.Make(t.Context())
		found, findErr := k.Find(t.Context(), nil)
		if tt.fault != "" {
			if report.KindOf(err) != report.Invalid || !strings.Contains(err.Error(), tt.fault) || findErr == nil {
				t.Errorf("%s: %v, %v; want %q", tt.name, err, findErr, tt.fault)
			}
			continue
		}
		if err != nil || findErr != nil || data != nil || string(made.Secret) != tt.want || string(found.Secret) != tt.want || made.Slot != 3 ||
			made.KDF != luks.Argon2id() || k.Sealed() || k.TokenType != "bootwright" {
			t.Errorf("%s: %+v, %+v, %v, %v", tt.name, made, found, err, findErr)
		}
	}
}

// TestKMS seals with a service and finds the key again; the token is as other systems write it.
func TestKMS(t *testing.T) {
	t.Parallel()
	sealer, err := kms.NewSealer(kms.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewUnstartedServer(&kms.Server{Seal: sealer.Seal, Unseal: sealer.Unseal})
	service.Config.Protocols = &http.Protocols{}
	service.Config.Protocols.SetUnencryptedHTTP2(true)
	service.Start()
	t.Cleanup(service.Close)

	dialed := ""
	m := Machine{UUID: uuid, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialed = address
		return (&net.Dialer{}).DialContext(ctx, network, service.Listener.Addr().String())
	}}
	k := New(v1alpha1.EncryptionKey{Slot: 7, KMS: &v1alpha1.KMSKey{Endpoint: "grpc://kms.example:4050"}}, "STATE", m)
	made, data, err := k.Make(t.Context())
	if err != nil || len(made.Secret) != 44 || made.KDF != luks.Cheap() || !k.Sealed() || dialed != "kms.example:4050" {
		t.Fatalf("%+v, %v, dialed %s", made, err, dialed)
	}
	text, err := json.Marshal(data)
	if err != nil || !strings.HasPrefix(string(text), `{"sealedData":"`) || k.TokenType != "sideroKMS" {
		t.Errorf("%s, %v", text, err)
	}
	if found, err := k.Find(t.Context(), text); err != nil || string(found.Secret) != string(made.Secret) || found.Slot != 7 {
		t.Errorf("%+v, %v", found, err)
	}
	if again, _, _ := k.Make(t.Context()); string(again.Secret) == string(made.Secret) {
		t.Error("the same key twice")
	}
	for _, bad := range []string{"", "{}", `{"sealedData":1}`} {
		if _, err := k.Find(t.Context(), []byte(bad)); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// A refusal may pass: whoever runs the service may have taken the machine off its list by mistake.
	if _, err := k.Find(t.Context(), []byte(`{"sealedData":"AAAA"}`)); report.KindOf(err) != report.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestTPM(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, tt := range []struct {
		check               *bool
		enforced, setupMode bool
		want                report.Kind
		fault               string
	}{
		{&yes, false, false, report.Unsupported, "SecureBoot is disabled"},
		{&yes, true, true, report.Unsupported, "SecureBoot setup mode"},
		{&yes, true, false, report.Unavailable, "file does not exist"},
		{&no, false, false, report.Unavailable, "file does not exist"},
		{nil, false, false, report.Unavailable, "file does not exist"},
	} {
		k := New(v1alpha1.EncryptionKey{TPM: &v1alpha1.TPMKey{CheckSecurebootStatusOnEnroll: tt.check}}, "STATE", Machine{
			TPM:        tpm.TPM{Open: func() (transport.TPMCloser, error) { return nil, os.ErrNotExist }},
			SecureBoot: func() (enforced, setupMode bool) { return tt.enforced, tt.setupMode },
		})
		if _, _, err := k.Make(t.Context()); report.KindOf(err) != tt.want || !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%+v: %v", tt, err)
		}
		if _, err := k.Find(t.Context(), []byte("{}")); report.KindOf(err) != report.Unsupported || k.TokenType != "talos-tpm2" {
			t.Errorf("%v", err)
		}
	}
}
