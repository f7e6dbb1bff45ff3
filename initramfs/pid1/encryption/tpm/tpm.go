// Package tpm seals small secrets to a TPM 2.0 and to what it measured at this boot, so that they can be unsealed only on this
// machine, and only when it has started the same software in the same way (TPM 2.0 Library Specification, parts 1 and 3).
//
// A secret is an object under the storage root key, which is made anew each time from the owner's seed (TCG EK Credential
// Profile, template of the ECC storage root key), with a policy of the values of PCR 7 (Secure Boot: its state and keys)
// and PCR 11 (the UKI). Whatever goes to the TPM and comes from it is encrypted by a session.
//
// Left out: policies that a signature authorizes, which outlive updates.
package tpm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/bootwright/bootwright/internal/report"
)

// Sealed is a sealed secret. Nothing in it is secret itself.
type Sealed struct {
	KeySlots   []int  `json:"keyslots"`
	Private    []byte `json:"sealed_blob_private"` // TPM2B_PRIVATE
	Public     []byte `json:"sealed_blob_public"`  // TPM2B_PUBLIC
	PCRs       []int  `json:"pcrs"`
	Bank       string `json:"alg"` // of the PCRs, sha256
	PolicyHash []byte `json:"policy_hash"`
	KeyName    []byte `json:"key_name"` // of the storage root key
}

// TPM is a TPM that Open connects to.
type TPM struct {
	Open func() (transport.TPMCloser, error)
}

// limit is how long a TPM may take for all commands of a call; some take seconds to make a key.
const limit = 30 * time.Second

// ErrMeasured is that the PCRs have other values than when the secret was sealed.
var ErrMeasured = report.Errorf(report.Negative, "what was measured at this boot (PCR 7 and 11) is not what the key was sealed to")

// ErrOtherTPM is that another TPM sealed the secret, or that this one was cleared since.
var ErrOtherTPM = report.Errorf(report.Negative, "another TPM sealed the key, or this one was cleared since")

// PCRs are those that secrets are sealed to.
func PCRs() []int { return []int{7, 11} }

const bank = "sha256"

// Seal seals a secret of at most 128 bytes. The error is Unsupported where the firmware does not measure, and Unavailable where
// there is no TPM or it fails.
func (t TPM) Seal(ctx context.Context, secret []byte) (Sealed, error) {
	return use(ctx, t, func(c *connection) (Sealed, error) {
		if err := c.checkPCRs(); err != nil {
			return Sealed{}, err
		}
		policy, err := c.policyDigest()
		if err != nil {
			return Sealed{}, err
		}
		made, err := tpm2.Create{
			ParentHandle: c.parent(),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				Data: tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
			}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: true},
				AuthPolicy:       policy,
			}),
		}.Execute(c.tpm)
		if err != nil {
			return Sealed{}, fmt.Errorf("create: %w", err)
		}
		return Sealed{
			Private: tpm2.Marshal(made.OutPrivate), Public: tpm2.Marshal(made.OutPublic), PCRs: PCRs(), Bank: bank,
			PolicyHash: policy.Buffer, KeyName: c.root.Name.Buffer,
		}, nil
	})
}

// Unseal gives the secret back. The error is ErrMeasured, ErrOtherTPM, of kind Unsupported for a secret that another system
// sealed in another way, or Unavailable where there is no TPM or it fails.
func (t TPM) Unseal(ctx context.Context, s Sealed) ([]byte, error) {
	if s.Bank != bank || len(s.PCRs) != 2 || s.PCRs[0] != 7 || s.PCRs[1] != 11 {
		return nil, report.Errorf(report.Unsupported, "tpm: a key sealed to PCRs %v of bank %.20q", s.PCRs, s.Bank)
	}
	private, err1 := tpm2.Unmarshal[tpm2.TPM2BPrivate](s.Private)
	public, err2 := tpm2.Unmarshal[tpm2.TPM2BPublic](s.Public)
	if err := errors.Join(err1, err2); err != nil {
		return nil, report.Errorf(report.Invalid, "tpm: sealed key: %w", err)
	}
	return use(ctx, t, func(c *connection) ([]byte, error) {
		if !bytes.Equal(s.KeyName, c.root.Name.Buffer) {
			return nil, ErrOtherTPM
		}
		object, err := tpm2.Load{ParentHandle: c.parent(), InPrivate: *private, InPublic: *public}.Execute(c.tpm)
		if bad, ok := errors.AsType[tpm2.TPMFmt1Error](err); ok {
			return nil, report.Errorf(report.Invalid, "tpm: the sealed key is damaged: %w", bad)
		}
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		defer c.flush(object.ObjectHandle)
		return c.unseal(tpm2.NamedHandle{Handle: object.ObjectHandle, Name: object.Name})
	})
}

// connection is an open TPM with its storage root key.
type connection struct {
	tpm    transport.TPM
	root   *tpm2.CreatePrimaryResponse
	public *tpm2.TPMTPublic
}

// use calls do with a connection, and gives up when ctx or the limit ends, leaving the TPM's driver to its own time-out.
func use[T any](ctx context.Context, t TPM, do func(c *connection) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		r.value, r.err = connected(t, do)
		done <- r
	}()
	var none T
	select {
	case r := <-done:
		return r.value, kinded(r.err)
	case <-ctx.Done():
		return none, report.Errorf(report.Unavailable, "tpm: no answer: %w", ctx.Err())
	}
}

// kinded gives err the kind Unavailable where it has none.
func kinded(err error) error {
	if err != nil && report.KindOf(err) == report.Internal {
		return report.Errorf(report.Unavailable, "tpm: %w", err)
	}
	return err
}

func connected[T any](t TPM, do func(c *connection) (T, error)) (none T, err error) {
	device, err := t.Open()
	if err != nil {
		return none, err
	}
	defer device.Close()
	c := &connection{tpm: device}
	c.root, err = tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(c.tpm)
	if err != nil {
		return none, fmt.Errorf("storage root key: %w", err)
	}
	defer c.flush(c.root.ObjectHandle)
	if c.public, err = c.root.OutPublic.Contents(); err != nil {
		return none, fmt.Errorf("storage root key: %w", err)
	}
	return do(c)
}

func (c *connection) flush(h tpm2.TPMHandle) {
	tpm2.FlushContext{FlushHandle: h}.Execute(c.tpm) // the kernel's resource manager flushes too
}

// parent is the storage root key, used through a session that encrypts what is sent.
func (c *connection) parent() tpm2.AuthHandle {
	return tpm2.AuthHandle{
		Handle: c.root.ObjectHandle, Name: c.root.Name,
		Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, tpm2.AESEncryption(aesBits, tpm2.EncryptIn), tpm2.Salted(c.root.ObjectHandle, *c.public)),
	}
}

const (
	nonceSize = 16
	aesBits   = 128
)

// selection is the PCRs in the form of the TPM.
func selection() tpm2.TPMLPCRSelection {
	return tpm2.TPMLPCRSelection{PCRSelections: []tpm2.TPMSPCRSelection{{
		Hash: tpm2.TPMAlgSHA256, PCRSelect: tpm2.PCClientCompatible.PCRs(7, 11),
	}}}
}

// checkPCRs refuses PCRs that nothing was measured into: a key that is sealed to them opens whatever is started.
func (c *connection) checkPCRs() error {
	read, err := tpm2.PCRRead{PCRSelectionIn: selection()}.Execute(c.tpm)
	if err != nil {
		return fmt.Errorf("read PCRs: %w", err)
	}
	if n := len(read.PCRValues.Digests); n != len(PCRs()) {
		return report.Errorf(report.Unsupported, "tpm: %d of the PCRs 7 and 11 are there in the bank %s", n, bank)
	}
	for i, d := range read.PCRValues.Digests {
		for _, unused := range []byte{0, 0xff} {
			if bytes.Equal(d.Buffer, bytes.Repeat([]byte{unused}, len(d.Buffer))) {
				return report.Errorf(report.Unsupported, "tpm: nothing was measured into PCR %d: the machine must start a UKI through UEFI", PCRs()[i])
			}
		}
	}
	return nil
}

// policyDigest is the digest of the policy that the PCRs have the values that they have now.
func (c *connection) policyDigest() (tpm2.TPM2BDigest, error) {
	session, end, err := tpm2.PolicySession(c.tpm, tpm2.TPMAlgSHA256, nonceSize, tpm2.Trial())
	if err != nil {
		return tpm2.TPM2BDigest{}, fmt.Errorf("policy: %w", err)
	}
	defer end()
	if _, err := (tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: selection()}).Execute(c.tpm); err != nil {
		return tpm2.TPM2BDigest{}, fmt.Errorf("policy of PCRs: %w", err)
	}
	got, err := tpm2.PolicyGetDigest{PolicySession: session.Handle()}.Execute(c.tpm)
	if err != nil {
		return tpm2.TPM2BDigest{}, fmt.Errorf("digest of the policy: %w", err)
	}
	return got.PolicyDigest, nil
}

// unseal unseals a loaded object in a session of the policy.
func (c *connection) unseal(object tpm2.NamedHandle) ([]byte, error) {
	session, end, err := tpm2.PolicySession(c.tpm, tpm2.TPMAlgSHA256, nonceSize,
		tpm2.AESEncryption(aesBits, tpm2.EncryptOut), tpm2.Salted(c.root.ObjectHandle, *c.public))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	defer end()
	if _, err := (tpm2.PolicyPCR{PolicySession: session.Handle(), Pcrs: selection()}).Execute(c.tpm); err != nil {
		return nil, fmt.Errorf("policy of PCRs: %w", err)
	}
	got, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: object.Handle, Name: object.Name, Auth: session}}.Execute(c.tpm)
	switch {
	case errors.Is(err, tpm2.TPMRCPolicyFail):
		return nil, ErrMeasured
	case err != nil:
		return nil, fmt.Errorf("unseal: %w", err)
	}
	return got.OutData.Buffer, nil
}
