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
	"errors"
	"fmt"
	"slices"
	"time"

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
	Keys    func() keys.Machine // what keys are made of, at the time
	Program string              // cryptsetup; "" is luks.Program
	Scratch string              // a folder in memory; "" is /run/bootwright
}

// Opener opens volumes.
type Opener struct {
	Deps
	luks luks.Cryptsetup
}

// New is an Opener.
func New(d Deps) *Opener {
	d.Scratch = cmp.Or(d.Scratch, "/run/bootwright")
	return &Opener{d, luks.Cryptsetup{Processes: d.M, Program: d.Program}}
}

// Name is the name of a volume's mapping in /dev/mapper.
func Name(volume string) string { return "luks2-" + volume }

// volume is a volume that is being opened.
type volume struct {
	*Opener
	device, label string
	config        *v1alpha1.Encryption
	keys          []keys.Key // by slot
	status        bootreport.EncryptedVolume
	header        *luks2.Header // as it was read last
	isFile        bool          // device is a file in which a header is made
}

// Open opens the volume on a device (/dev/vda5) and returns the device of what is inside (/dev/mapper/luks2-STATE). Where the
// device is blank, it is encrypted first. Then the key slots are made those of the configuration. One that is open already
// has its slots looked after only, which is how a new configuration takes effect.
//
// The status says what was found and done, also with an error. An error of kind Unavailable may pass, as when a service does
// not answer; of kind Invalid, a person has to act.
func (o *Opener) Open(ctx context.Context, device, label string, c *v1alpha1.Encryption) (mapped string, status bootreport.EncryptedVolume, err error) {
	v := &volume{Opener: o, device: device, label: label, config: c}
	v.status = bootreport.EncryptedVolume{Volume: label, Device: device, State: bootreport.EncryptionLocked, Keys: []bootreport.EncryptionKey{}}
	m := o.Keys()
	for _, k := range c.Keys {
		v.keys = append(v.keys, keys.New(k, label, m))
	}
	slices.SortStableFunc(v.keys, func(a, b keys.Key) int { return a.Slot - b.Slot })
	for _, k := range v.keys {
		v.status.Keys = append(v.status.Keys, bootreport.EncryptionKey{Slot: k.Slot, Kind: k.Kind, State: bootreport.KeyUntried})
	}
	if err := v.open(ctx); err != nil {
		v.status.Error = err.Error()
		return "", v.status, err
	}
	v.status.State, v.status.Mapped = bootreport.EncryptionOpen, "/dev/mapper/"+Name(label)
	return v.status.Mapped, v.status, nil
}

// open does what Open says.
func (v *volume) open(ctx context.Context) error {
	mapped, err := v.luks.Mapped(ctx, Name(v.label))
	if err != nil {
		return err
	}
	if mapped != "" && mapped != v.device {
		return report.Errorf(report.Invalid, "%s is open already, on %s and not on %s", v.label, mapped, v.device)
	}
	blank, err := v.look(ctx)
	if err != nil {
		return err
	}
	var by *luks.Key
	if blank {
		if mapped != "" { // the device was overwritten since
			if err := v.luks.Close(ctx, Name(v.label)); err != nil {
				return err
			}
			mapped = ""
		}
		if by, err = v.format(ctx); err != nil {
			return fmt.Errorf("encrypt %s: %w", v.device, err)
		}
	}
	by, err = v.unlock(ctx, by, mapped != "")
	if err != nil {
		return err
	}
	v.status.Slot = &by.Slot
	if !v.status.Formatted {
		v.sync(ctx, *by)
	}
	return nil
}

// unlock opens the volume with by, or else with the first key that opens it. Where it is open already, the key is tried only.
func (v *volume) unlock(ctx context.Context, by *luks.Key, isOpen bool) (*luks.Key, error) {
	if by != nil {
		return by, v.luks.Open(ctx, v.device, Name(v.label), *by, v.config.Options)
	}
	kind, reasons := report.Invalid, []error{}
	for i, k := range v.keys {
		key, err := v.find(ctx, k)
		switch {
		case err != nil:
		case isOpen:
			err = v.luks.Test(ctx, v.device, key)
		default:
			err = v.luks.Open(ctx, v.device, Name(v.label), key, v.config.Options)
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
	return nil, report.Errorf(kind, "no configured key opens %s on %s: %w", v.label, v.device, errors.Join(reasons...))
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
	v.status.Keys[i].State, v.status.Keys[i].Reason = state, ""
	if reason != nil {
		v.status.Keys[i].Reason = reason.Error()
	}
}

// The waits between attempts of Retry: the first, then twice the last, up to the longest.
const (
	firstWait   = time.Second
	longestWait = 30 * time.Second
)

// Retry opens a volume as Open does, again and again as long as the error is one that may pass. tell gets the status after
// each attempt.
func (o *Opener) Retry(ctx context.Context, device, label string, c *v1alpha1.Encryption, tell func(bootreport.EncryptedVolume)) (mapped string, err error) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		mapped, status, err := o.Open(ctx, device, label, c)
		tell(status)
		if err == nil || report.KindOf(err) != report.Unavailable {
			return mapped, err
		}
		o.Log.Warnf("%v; again in %s", err, wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
