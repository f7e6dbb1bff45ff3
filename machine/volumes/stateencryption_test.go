package volumes

import (
	"reflect"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

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
	for _, bad := range []string{"", "{}", "secret", `{"EncryptionProvider": 1}`} {
		if _, err := DecodeStateEncryption([]byte(bad)); report.KindOf(err) != report.Invalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
