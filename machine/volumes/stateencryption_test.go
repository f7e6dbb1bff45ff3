package volumes

import (
	"reflect"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// TestStateAuthorities: META has those of the configuration where a key of STATE is with a service, and room for.
func TestStateAuthorities(t *testing.T) {
	t.Parallel()
	const main = "version: v1alpha1\nmachine: {type: worker}\n"
	document := func(name, text string) string {
		return "---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: " + name + "\ncertificates: " + text + "\n"
	}
	service := &v1alpha1.Encryption{Keys: []v1alpha1.EncryptionKey{{NodeID: &struct{}{}}, {KMS: &v1alpha1.KMSKey{Endpoint: "https://k"}, Slot: 1}}}
	for _, tt := range []struct {
		name, documents string
		e               *v1alpha1.Encryption
		want            string
	}{
		{"none", "", service, ""},
		{"two", document("a", "AAA") + document("b", "BBB"), service, "AAA\nBBB\n"},
		{"no service", document("a", "AAA"), &v1alpha1.Encryption{Keys: service.Keys[:1]}, ""},
		{"too long", document("a", strings.Repeat("A", maxAuthorities)), service, ""},
	} {
		c, err := config.Load("c", []byte(main+tt.documents))
		if c == nil {
			t.Fatal(err)
		}
		if got := StateAuthorities(c, tt.e); string(got) != tt.want {
			t.Errorf("%s: %.100q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestMergeKeys(t *testing.T) {
	t.Parallel()
	key := func(slot int, passphrase string) v1alpha1.EncryptionKey {
		return v1alpha1.EncryptionKey{Slot: slot, Static: &v1alpha1.StaticKey{Passphrase: passphrase}}
	}
	e := &v1alpha1.Encryption{Provider: "luks2", Keys: []v1alpha1.EncryptionKey{key(1, "a"), key(2, "b")}}
	got := MergeKeys(e, &v1alpha1.Encryption{Keys: []v1alpha1.EncryptionKey{key(2, "old"), key(3, "c")}})
	if want := []v1alpha1.EncryptionKey{key(1, "a"), key(2, "b"), key(3, "c")}; !reflect.DeepEqual(got.Keys, want) || len(e.Keys) != 2 || got.Provider != "luks2" {
		t.Errorf("%+v", got)
	}
}

func TestStateEncryption(t *testing.T) {
	t.Parallel()
	check := true
	want := &v1alpha1.Encryption{
		Provider: "luks2", Cipher: "aes-xts-plain64", KeySize: 512, BlockSize: 4096, Options: []string{"same_cpu_crypt"},
		Keys: []v1alpha1.EncryptionKey{
			{NodeID: &struct{}{}}, {Static: &v1alpha1.StaticKey{Passphrase: "p"}, Slot: 1}, {KMS: &v1alpha1.KMSKey{Endpoint: "grpc://k"}, Slot: 2},
			{TPM: &v1alpha1.TPMKey{CheckSecurebootStatusOnEnroll: &check}, Slot: 3},
		},
	}
	got, err := DecodeStateEncryption(EncodeStateEncryption(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	const field = `{"EncryptionProvider":"luks2","EncryptionKeys":[{"KeyStatic":null,"KeyNodeID":{},"KeyKMS":null,"KeySlot":0,"KeyTPM":null}],"EncryptionCipher":"","EncryptionKeySize":0,"EncryptionBlockSize":0,"EncryptionPerfOptions":null}`
	if got, err := DecodeStateEncryption([]byte(field)); err != nil || got.Provider != "luks2" || len(got.Keys) != 1 || got.Keys[0].NodeID == nil || got.Keys[0].Static != nil {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"", "{}", "secret", `{"EncryptionProvider": 1}`,
		`{"EncryptionProvider": "luks3", "EncryptionKeys": [{"KeyNodeID": {}, "KeySlot": 0}]}`,
		`{"EncryptionProvider": "luks2"}`,
		`{"EncryptionProvider": "luks2", "EncryptionKeys": [{"KeyNodeID": {}, "KeySlot": 32}]}`,
		`{"EncryptionProvider": "luks2", "EncryptionKeys": [{"KeyNodeID": {}, "KeySlot": -1}]}`,
		`{"EncryptionProvider": "luks2", "EncryptionKeys": [{"KeyNodeID": {}, "KeySlot": 1}, {"KeyTPM": {}, "KeySlot": 1}]}`,
		`{"EncryptionProvider": "luks2", "EncryptionKeys": [{"KeySlot": 1}]}`,
		`{"EncryptionProvider": "luks2", "EncryptionKeys": [{"KeyNodeID": {}, "KeyTPM": {}, "KeySlot": 1}]}`,
	} {
		if _, err := DecodeStateEncryption([]byte(bad)); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
