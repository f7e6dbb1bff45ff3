package volumes

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// storedEncryption is how META says that STATE is encrypted: the field's JSON, whose names differ from those of YAML.
type storedEncryption struct {
	EncryptionProvider    string
	EncryptionKeys        []storedKey
	EncryptionCipher      string
	EncryptionKeySize     uint32
	EncryptionBlockSize   uint64
	EncryptionPerfOptions []string
}

type storedKey struct {
	KeyStatic *struct{ KeyData string }                         `json:",omitempty"`
	KeyNodeID *struct{}                                         `json:",omitempty"`
	KeyKMS    *struct{ KMSEndpoint string }                     `json:",omitempty"`
	KeyTPM    *struct{ TPMCheckSecurebootStatusOnEnroll *bool } `json:",omitempty"`
	KeySlot   int
}

// EncodeStateEncryption is the value of META's tag meta.StateEncryption.
func EncodeStateEncryption(e *v1alpha1.Encryption) []byte {
	s := storedEncryption{e.Provider, nil, e.Cipher, e.KeySize, e.BlockSize, e.Options}
	for _, k := range e.Keys {
		stored := storedKey{KeyNodeID: k.NodeID, KeySlot: k.Slot}
		if k.Static != nil {
			stored.KeyStatic = &struct{ KeyData string }{k.Static.Passphrase}
		}
		if k.KMS != nil {
			stored.KeyKMS = &struct{ KMSEndpoint string }{k.KMS.Endpoint}
		}
		if k.TPM != nil {
			stored.KeyTPM = &struct{ TPMCheckSecurebootStatusOnEnroll *bool }{k.TPM.CheckSecurebootStatusOnEnroll}
		}
		s.EncryptionKeys = append(s.EncryptionKeys, stored)
	}
	p, err := json.Marshal(s)
	if err != nil {
		panic("volumes: " + err.Error()) // no field can fail
	}
	return p
}

// DecodeStateEncryption reads the value of META's tag. The error is Invalid, and says nothing of what is secret.
func DecodeStateEncryption(p []byte) (*v1alpha1.Encryption, error) {
	var s storedEncryption
	if err := json.Unmarshal(p, &s); err != nil || s.EncryptionProvider == "" {
		return nil, report.Errorf(report.Invalid, "META says how STATE is encrypted, but in %d bytes that cannot be read", len(p))
	}
	if err := s.check(); err != nil {
		return nil, report.Errorf(report.Invalid, "META says how STATE is encrypted, but %w", err)
	}
	e := &v1alpha1.Encryption{
		Provider: s.EncryptionProvider, Cipher: s.EncryptionCipher, KeySize: s.EncryptionKeySize, BlockSize: s.EncryptionBlockSize, Options: s.EncryptionPerfOptions,
	}
	for _, k := range s.EncryptionKeys {
		key := v1alpha1.EncryptionKey{NodeID: k.KeyNodeID, Slot: k.KeySlot}
		if k.KeyStatic != nil {
			key.Static = &v1alpha1.StaticKey{Passphrase: k.KeyStatic.KeyData}
		}
		if k.KeyKMS != nil {
			key.KMS = &v1alpha1.KMSKey{Endpoint: k.KeyKMS.KMSEndpoint}
		}
		if k.KeyTPM != nil {
			key.TPM = &v1alpha1.TPMKey{CheckSecurebootStatusOnEnroll: k.KeyTPM.TPMCheckSecurebootStatusOnEnroll}
		}
		e.Keys = append(e.Keys, key)
	}
	return e, nil
}

// check refuses what a machine configuration could not have said either.
func (s *storedEncryption) check() error {
	if s.EncryptionProvider != "luks2" {
		return fmt.Errorf("with the provider %.40q, which is not luks2", s.EncryptionProvider)
	}
	if len(s.EncryptionKeys) == 0 {
		return errors.New("without a key")
	}
	used := map[int]bool{}
	for _, k := range s.EncryptionKeys {
		if k.KeySlot < 0 || k.KeySlot >= luks2.Slots || used[k.KeySlot] {
			return fmt.Errorf("with a key in slot %d, which is out of range or has another", k.KeySlot)
		}
		used[k.KeySlot] = true
		kinds := 0
		for _, is := range []bool{k.KeyStatic != nil, k.KeyNodeID != nil, k.KeyKMS != nil, k.KeyTPM != nil} {
			if is {
				kinds++
			}
		}
		if kinds != 1 {
			return fmt.Errorf("with a key of %d kinds in slot %d", kinds, k.KeySlot)
		}
	}
	return nil
}

// MergeKeys is e with those keys of more whose slots it does not use.
func MergeKeys(e, more *v1alpha1.Encryption) *v1alpha1.Encryption {
	merged := *e
	merged.Keys = slices.Clone(e.Keys)
	for _, k := range more.Keys {
		if !slices.ContainsFunc(e.Keys, func(o v1alpha1.EncryptionKey) bool { return o.Slot == k.Slot }) {
			merged.Keys = append(merged.Keys, k)
		}
	}
	return &merged
}

// maxAuthorities bounds what META gets of certificates; there is room for 256 KiB in it.
const maxAuthorities = 64 << 10

// StateAuthorities is the value of META's tag meta.StateAuthorities: the certificates of the TrustedRootsConfig documents, where
// e has a key that a service in the network seals. It is nil where there are none, or more than META has room for.
func StateAuthorities(c *config.Config, e *v1alpha1.Encryption) []byte {
	if !slices.ContainsFunc(e.Keys, func(k v1alpha1.EncryptionKey) bool { return k.KMS != nil }) {
		return nil
	}
	var pem []byte
	for _, d := range config.All[*kinds.TrustedRootsConfig](c) {
		pem = append(append(pem, strings.TrimSpace(d.Certificates)...), '\n')
	}
	if len(pem) > maxAuthorities {
		return nil
	}
	return pem
}
