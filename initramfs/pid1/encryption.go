package pid1

import (
	"cmp"
	"context"
	"crypto/tls"

	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxtpm"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/tpm"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/trust"
	"github.com/bootwright/bootwright/initramfs/pid1/volumes"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/meta"
)

// tpmDevice is the TPM through the kernel's resource manager.
const tpmDevice = "/dev/tpmrm0"

// newOpener is what opens encrypted volumes.
func (b *boot) newOpener() *encryption.Opener {
	return encryption.New(encryption.Deps{
		M: b.m, Log: b.say(), Keys: b.keyMachine, Slow: func(run func() error) error { return b.volumes.Slow(run) },
	})
}

// openEncrypted opens encrypted volumes, and reports how they are.
func (b *boot) openEncrypted(o *encryption.Opener) func(context.Context, volumes.Opening) (volumes.Opened, error) {
	return func(ctx context.Context, q volumes.Opening) (volumes.Opened, error) {
		if err := b.modules.Load("dm_mod", "dm_crypt"); err != nil {
			return volumes.Opened{}, err
		}
		got, err := o.Open(ctx, encryption.Request{
			Device: q.Device, Label: q.Spec.ID, Config: q.Spec.Encryption, OpenOnly: q.OpenOnly, Opens: q.Opens,
		})
		b.report.Change(func(r *bootreport.Report) { r.SetEncryption(got.Status) })
		return volumes.Opened{Inside: got.Mapped, InOrder: got.InOrder, Again: got.Again}, err
	}
}

// keyMachine is what keys of volumes are made of. Before there is a configuration META says what it would.
func (b *boot) keyMachine() keys.Machine {
	status, _ := b.volumes.Status().Get()
	config, _ := b.config.Get()
	return keys.Machine{
		UUID: cmp.Or(string(status.Meta[meta.UUIDOverride]), hardware.Machine(b.m).UUID),
		TLS:  &tls.Config{Time: b.report.Now, RootCAs: trust.Also(b.m, config, status.Meta[meta.StateAuthorities])},
		Dial: b.m.Dial,
		TPM:  tpm.TPM{Open: func() (transport.TPMCloser, error) { return linuxtpm.Open(tpmDevice) }},
		SecureBoot: func() (enforced, setupMode bool) {
			f := hardware.Firmware(b.m)
			return f.SecureBoot != nil && *f.SecureBoot, f.SetupMode != nil && *f.SetupMode
		},
	}
}
