// Package keys makes the passphrases of encrypted volumes, each kind as the configuration guide has it (section 4): written in
// the configuration (static), made of the machine's UUID (nodeID), or random and sealed by a service in the network (kms) or
// by the TPM (tpm). What seals a passphrase gives data that is no secret and is kept in a token in the volume's header.
package keys

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/tpm"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/kms"
)

// Kinds of keys, as in the configuration.
const (
	Static = "static"
	NodeID = "nodeID"
	KMS    = "kms"
	TPM    = "tpm"
)

// Types of tokens. Keys that nothing seals have the last, which says only that a slot is the machine's own.
const (
	kmsToken  = "sideroKMS"
	tpmToken  = "talos-tpm2"
	markToken = "bootwright"
)

// IsOwn reports whether a token of that type is one that machines write.
func IsOwn(tokenType string) bool {
	return tokenType == kmsToken || tokenType == tpmToken || tokenType == markToken
}

// Machine is what keys are made of.
type Machine struct {
	UUID       string   // of the machine; "" where it is not known
	Passphrase luks.KDF // of keys that nothing seals; the zero value is luks.Argon2id
	TLS        *tls.Config
	Dial       func(ctx context.Context, network, address string) (net.Conn, error)
	TPM        tpm.TPM
	SecureBoot func() (enforced, setupMode bool) // what the firmware says of Secure Boot
}

// Key is a configured key of a volume.
type Key struct {
	Slot      int
	Kind      string
	TokenType string
	KDF       luks.KDF

	source source
}

// source is where the passphrase of a key comes from.
type source interface {
	// make gives a new passphrase, and what the token has to hold to find it again.
	make(ctx context.Context) (secret []byte, data any, err error)
	// find gives the passphrase again; data is what the token holds, JSON.
	find(ctx context.Context, data []byte) ([]byte, error)
}

// New is a key of the volume whose partition has the given label. Which of its kinds c has was checked with the configuration.
func New(c v1alpha1.EncryptionKey, label string, m Machine) Key {
	k := Key{Slot: c.Slot, TokenType: markToken, KDF: cmp.Or(m.Passphrase, luks.Argon2id())}
	switch {
	case c.Static != nil:
		k.Kind, k.source = Static, static(c.Static.Passphrase)
	case c.KMS != nil:
		k.Kind, k.TokenType, k.KDF = KMS, kmsToken, luks.Cheap()
		k.source = kmsSource{kms.Client{Endpoint: c.KMS.Endpoint, TLS: m.TLS, Dial: m.Dial}, m.UUID}
	case c.TPM != nil:
		k.Kind, k.TokenType, k.KDF = TPM, tpmToken, luks.Cheap()
		k.source = tpmSource{m, c.Slot, c.TPM.CheckSecurebootStatusOnEnroll != nil && *c.TPM.CheckSecurebootStatusOnEnroll}
	default:
		k.Kind, k.source = NodeID, nodeID{m.UUID, label}
	}
	return k
}

// Sealed reports whether the passphrase is random, and found again only with the token.
func (k Key) Sealed() bool { return k.TokenType != markToken }

// Make makes a passphrase for the slot, and what its token has to hold. An error of kind Unavailable may pass; others do not by
// themselves. So with Find.
func (k Key) Make(ctx context.Context) (luks.Key, any, error) {
	secret, data, err := k.source.make(ctx)
	return luks.Key{Slot: k.Slot, Secret: secret, KDF: k.KDF}, data, err
}

// Find finds the passphrase of the slot with the data of its token, which is nil for keys that are not sealed.
func (k Key) Find(ctx context.Context, data []byte) (luks.Key, error) {
	secret, err := k.source.find(ctx, data)
	return luks.Key{Slot: k.Slot, Secret: secret, KDF: k.KDF}, err
}

// static is a passphrase of the configuration.
type static string

func (s static) make(ctx context.Context) ([]byte, any, error) {
	secret, err := s.find(ctx, nil)
	return secret, nil, err
}

func (s static) find(context.Context, []byte) ([]byte, error) {
	if s == "" {
		return nil, report.Errorf(report.Invalid, "the passphrase is empty")
	}
	return []byte(s), nil
}

// nodeID is the machine's UUID and the label of the partition, as text.
type nodeID struct{ uuid, label string }

func (n nodeID) make(ctx context.Context) ([]byte, any, error) {
	secret, err := n.find(ctx, nil)
	return secret, nil, err
}

func (n nodeID) find(context.Context, []byte) ([]byte, error) {
	if err := CheckUUID(n.uuid); err != nil {
		return nil, err
	}
	return []byte(n.uuid + n.label), nil
}

// CheckUUID refuses a UUID that any machine could have: none, or one in which a character takes more than half.
func CheckUUID(uuid string) error {
	if uuid == "" {
		return report.Errorf(report.Invalid, "machine UUID is not populated")
	}
	for _, c := range uuid {
		if strings.Count(uuid, string(c)) > len(uuid)/2 {
			return report.Errorf(report.Invalid, "machine UUID %s entropy check failed", uuid)
		}
	}
	return nil
}

// random is a new random key, and the passphrase that is made of it.
func random() (key, passphrase []byte) {
	const size = 32
	key = make([]byte, size)
	rand.Read(key) // does not fail
	return key, passphraseOf(key)
}

func passphraseOf(key []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(key)) }

// kmsSource is sealed by a service.
type kmsSource struct {
	client kms.Client
	uuid   string
}

// sealedByKMS is what its token holds.
type sealedByKMS struct {
	SealedData []byte `json:"sealedData"`
}

func (s kmsSource) make(ctx context.Context) ([]byte, any, error) {
	key, passphrase := random()
	sealed, err := s.client.Seal(ctx, s.uuid, key)
	return passphrase, sealedByKMS{sealed}, kmsFault(err)
}

func (s kmsSource) find(ctx context.Context, data []byte) ([]byte, error) {
	var sealed sealedByKMS
	if err := json.Unmarshal(data, &sealed); err != nil || len(sealed.SealedData) == 0 {
		return nil, report.Errorf(report.Invalid, "the token holds no sealed key")
	}
	key, err := s.client.Unseal(ctx, s.uuid, sealed.SealedData)
	return passphraseOf(key), kmsFault(err)
}

// kmsFault makes every refusal one that may pass, as it is a person elsewhere who can change it: it never makes a key wrong.
func kmsFault(err error) error {
	if err != nil {
		return report.Errorf(report.Unavailable, "%w", err)
	}
	return nil
}

// tpmSource is sealed by the TPM.
type tpmSource struct {
	m     Machine
	slot  int
	check bool // of Secure Boot
}

func (s tpmSource) make(ctx context.Context) ([]byte, any, error) {
	if s.check {
		enforced, setupMode := s.m.SecureBoot()
		if !enforced {
			return nil, nil, report.Errorf(report.Unsupported, "failed to enroll the TPM2 key, as SecureBoot is disabled (and checkSecurebootStatusOnEnroll is enabled)")
		}
		if setupMode {
			return nil, nil, report.Errorf(report.Unsupported, "failed to enroll the TPM2 key, as the system is in SecureBoot setup mode (and checkSecurebootStatusOnEnroll is enabled)")
		}
	}
	key, passphrase := random()
	sealed, err := s.m.TPM.Seal(ctx, key)
	sealed.KeySlots = []int{s.slot}
	return passphrase, sealed, err
}

func (s tpmSource) find(ctx context.Context, data []byte) ([]byte, error) {
	var sealed tpm.Sealed
	if err := json.Unmarshal(data, &sealed); err != nil {
		return nil, report.Errorf(report.Invalid, "the token: %w", err)
	}
	key, err := s.m.TPM.Unseal(ctx, sealed)
	if err != nil {
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return passphraseOf(key), nil
}
