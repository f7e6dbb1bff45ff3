// Package encryption opens the encrypted volumes of a machine and keeps their keys as the configuration says (section 4 of the
// configuration guide). cryptsetup does the work (package luks); what is done is decided by the header that is on the disk
// (package formats/luks2), so that a power cut at any point is mended by the next boot:
//
//   - A new volume's header is made in memory, with all keys and their tokens, and copied to the device in an order in which
//     it is either no header yet or all of it (format.go). What could hold data is never formatted.
//   - A slot is changed only after another configured key has been seen to open the volume, and a new key is found again,
//     added and tried before its token is written; slots that the configuration no longer has go last (sync.go).
//   - Slots that neither the configuration nor the machine knows are kept, unless the configuration wants them wiped.
//
// Which slots are the machine's own is noted in tokens: each has the salt of its slot, so that another key that was put into
// the slot since is not taken for it.
package encryption

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Machine is what volumes need of the kernel.
type Machine interface {
	kernel.Disks
	kernel.Files
	kernel.Processes
}

// Log is where is said what is done.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Deps are what an Opener works with.
type Deps struct {
	M       Machine
	Log     Log
	Keys    func() keys.Machine      // what keys are made of, at the time
	Slow    func(func() error) error // runs what takes its time, such as deriving a key; nil runs it here
	Program string                   // cryptsetup; "" is luks.Program
	Scratch string                   // a folder in memory; "" is /run/bootwright
}

// Opener opens volumes, for one goroutine.
type Opener struct {
	Deps
	luks  luks.Cryptsetup
	tried map[attempt]error // nil or luks.ErrWrongKey: a key takes its time, and is tried once a boot
}

// attempt is a passphrase for what is in a slot, which its salt tells from what was there before.
type attempt struct {
	device, salt string
	secret       [sha256.Size]byte
}

// New is an Opener.
func New(d Deps) *Opener {
	d.Scratch = cmp.Or(d.Scratch, "/run/bootwright")
	return &Opener{d, luks.Cryptsetup{Processes: d.M, Program: d.Program, Slow: d.Slow}, map[attempt]error{}}
}

// Name is the name of a volume's mapping in /dev/mapper.
func Name(volume string) string { return "luks2-" + volume }

// Request is a volume that is to be open.
type Request struct {
	Device string // of its partition: /dev/vda5
	Label  string // STATE
	Config *v1alpha1.Encryption
	// OpenOnly leaves the slots alone: Config is from META, and the machine configuration may want other keys.
	OpenOnly bool
	// Opens is called when a key of Config has opened the volume, before a slot is changed, which its error prevents.
	Opens func(context.Context) error
}

// Result is what became of a Request.
type Result struct {
	Mapped  string // the device of what is inside: /dev/mapper/luks2-STATE; "" where the volume is locked
	Status  bootreport.EncryptedVolume
	InOrder bool // the slots hold the keys of Config, and of the machine's none else
	Again   bool // another attempt may get further, as nothing but a service or the TPM was in the way
}

// volume is a volume that is being opened.
type volume struct {
	*Opener
	Request
	keys   []keys.Key // by slot
	result Result
	header *luks2.Header // as it was read last
	isFile bool          // Device is a file in which a header is made
}

// Open opens a volume. Where its device is blank, it is encrypted first. Then the key slots are made those of the
// configuration. One that is open already has its slots looked after only, which is how a new configuration takes effect.
//
// The result says what was found and done, also with an error. An error of kind Unavailable may pass, as when a service does
// not answer; of kind Invalid, a person has to act.
func (o *Opener) Open(ctx context.Context, q Request) (Result, error) {
	v := &volume{Opener: o, Request: q}
	v.result.Status = bootreport.EncryptedVolume{Volume: q.Label, Device: q.Device, State: bootreport.EncryptionLocked, Keys: []bootreport.EncryptionKey{}}
	m := o.Keys()
	for _, k := range q.Config.Keys {
		v.keys = append(v.keys, keys.New(k, q.Label, m))
	}
	slices.SortStableFunc(v.keys, func(a, b keys.Key) int { return a.Slot - b.Slot })
	status := &v.result.Status
	for _, k := range v.keys {
		status.Keys = append(status.Keys, bootreport.EncryptionKey{Slot: k.Slot, Kind: k.Kind, State: bootreport.KeyUntried})
	}
	err := v.open(ctx)
	if err != nil {
		status.Error = err.Error()
		v.result.Again = report.KindOf(err) == report.Unavailable
	}
	if v.result.Mapped != "" {
		status.State, status.Mapped = bootreport.EncryptionOpen, v.result.Mapped
	}
	return v.result, err
}

// open does what Open says.
func (v *volume) open(ctx context.Context) error {
	on, err := v.luks.Mapped(ctx, Name(v.Label))
	if err != nil {
		return err
	}
	if on != "" && on != v.Device {
		return report.Errorf(report.Invalid, "%s is open already, on %s and not on %s", v.Label, on, v.Device)
	}
	blank, err := v.look(ctx)
	if err != nil {
		return err
	}
	var by *luks.Key
	if blank {
		if by, err = v.encrypt(ctx, on != ""); err != nil {
			return fmt.Errorf("encrypt %s: %w", v.Device, err)
		}
		on = ""
	}
	if on != "" {
		v.result.Mapped = mapped(v.Label)
	}
	if by == nil {
		if by, err = v.unlock(ctx); err != nil {
			return err
		}
	}
	v.result.Mapped, v.result.Status.Slot = mapped(v.Label), &by.Slot
	if v.OpenOnly {
		return nil
	}
	if v.Opens != nil {
		if err := v.Opens(ctx); err != nil {
			return err
		}
	}
	if v.result.Status.Formatted {
		v.result.InOrder = !slices.ContainsFunc(v.result.Status.Keys, func(k bootreport.EncryptionKey) bool { return k.State != bootreport.KeyWorks })
		return nil
	}
	v.result.Again = false // what has kept keys from being tried does not matter any more
	v.sync(ctx, *by)
	return nil
}

// mapped is the device of what is inside a volume.
func mapped(volume string) string { return "/dev/mapper/" + Name(volume) }

// encrypt encrypts the device, which is blank, and opens it. Where the volume is open, the device was overwritten since.
func (v *volume) encrypt(ctx context.Context, isOpen bool) (*luks.Key, error) {
	if v.OpenOnly {
		return nil, report.Errorf(report.Invalid, "it is blank, and there is no machine configuration")
	}
	if isOpen {
		if err := v.luks.Close(ctx, Name(v.Label)); err != nil {
			return nil, err
		}
	}
	return v.format(ctx)
}

// unlock opens the volume with the first key that opens it. Where it is open already, the key is tried only.
func (v *volume) unlock(ctx context.Context) (*luks.Key, error) {
	kind, reasons := report.Invalid, []error{}
	for i, k := range v.keys {
		key, err := v.find(ctx, k)
		if err == nil {
			err = v.try(key, func() error {
				if v.result.Mapped != "" {
					return v.luks.Test(ctx, v.Device, key)
				}
				return v.luks.Open(ctx, v.Device, Name(v.Label), key, v.Config.Options)
			})
		}
		if err == nil {
			v.set(i, bootreport.KeyWorks, nil)
			return &key, nil
		}
		state := bootreport.KeyFailed
		if !definite(err) {
			state, kind = bootreport.KeyUnknown, report.Unavailable
		}
		v.set(i, state, err)
		reasons = append(reasons, fmt.Errorf("slot %d (%s): %w", k.Slot, k.Kind, err))
	}
	return nil, report.Errorf(kind, "no configured key opens %s on %s: %w", v.Label, v.Device, errors.Join(reasons...))
}

// try tells whether a key opens its slot, which with finds out where that is not known. A key that does open it is given to
// with nonetheless while the volume is locked.
func (v *volume) try(key luks.Key, with func() error) error {
	a := attempt{v.Device, v.header.Keyslots[key.Slot].KDF.Salt, sha256.Sum256(key.Secret)}
	if err, ok := v.tried[a]; ok && (err != nil || v.result.Mapped != "") {
		return err
	}
	err := with()
	if err == nil || errors.Is(err, luks.ErrWrongKey) {
		v.tried[a] = err
	}
	return err
}

// definite reports whether err will be the same at the next attempt.
func definite(err error) bool {
	switch report.KindOf(err) {
	case report.Unavailable, report.Internal, report.Canceled:
		return false
	}
	return true
}

// set notes how the i-th key is.
func (v *volume) set(i int, state string, reason error) {
	v.result.Status.Keys[i].State, v.result.Status.Keys[i].Reason = state, ""
	if reason != nil {
		v.result.Status.Keys[i].Reason = reason.Error()
		v.result.Again = v.result.Again || report.KindOf(reason) == report.Unavailable
	}
}
