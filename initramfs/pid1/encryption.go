package pid1

import (
	"cmp"
	"context"
	"crypto/tls"
	"slices"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/tpm"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/meta"
	plan "github.com/bootwright/bootwright/machine/volumes"
)

// tpmDevice is the TPM through the kernel's resource manager.
const tpmDevice = "/dev/tpmrm0"

// newOpener is what opens encrypted volumes.
func (b *boot) newOpener() *encryption.Opener {
	return encryption.New(encryption.Deps{M: b.m, Log: b.say(), Keys: b.keyMachine})
}

// openEncrypted opens an encrypted volume, and reports how it is.
func (b *boot) openEncrypted(o *encryption.Opener) func(ctx context.Context, device string, s plan.Spec) (string, error) {
	return func(ctx context.Context, device string, s plan.Spec) (string, error) {
		if err := b.modules.Load("dm_mod", "dm_crypt"); err != nil {
			return "", err
		}
		inside, status, err := o.Open(ctx, device, s.ID, s.Encryption)
		b.report.Change(func(r *bootreport.Report) {
			r.Encryption = slices.DeleteFunc(slices.Clone(r.Encryption), func(e bootreport.EncryptedVolume) bool { return e.Volume == s.ID })
			r.Encryption = append(r.Encryption, status)
		})
		return inside, err
	}
}

// keyMachine is what keys of volumes are made of.
func (b *boot) keyMachine() keys.Machine {
	volumes, _ := b.volumes.Status().Get()
	return keys.Machine{
		UUID: cmp.Or(string(volumes.Meta[meta.UUIDOverride]), hardware.Machine(b.m).UUID),
		TLS:  &tls.Config{Time: b.report.Now}, // the base's authorities: STATE is opened before the configuration is known
		Dial: b.m.Dial,
		TPM:  tpm.TPM{Open: func() (transport.TPMCloser, error) { return linuxtpm.Open(tpmDevice) }},
		SecureBoot: func() (enforced, setupMode bool) {
			f := hardware.Firmware(b.m)
			return f.SecureBoot != nil && *f.SecureBoot, f.SetupMode != nil && *f.SetupMode
		},
	}
}
