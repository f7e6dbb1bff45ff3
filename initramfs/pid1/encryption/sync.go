package encryption

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// sync makes the key slots those of the configuration. by is a configured key that opened the volume just now, and its slot is
// never touched, so that one configured key works at every moment. What fails is in the status.
func (v *volume) sync(ctx context.Context, by luks.Key) {
	inOrder := true
	for i, k := range v.keys {
		state, err := v.syncKey(ctx, by, k)
		v.set(i, state, err)
		switch state {
		case bootreport.KeyAdded, bootreport.KeyReplaced:
			v.Log.Infof("%s: the %s key of slot %d was %s", v.Label, k.Kind, k.Slot, state)
		case bootreport.KeyWorks:
		default:
			inOrder = false
		}
		if err != nil {
			v.Log.Warnf("%s: slot %d (%s): %v", v.Label, k.Slot, k.Kind, err)
		}
	}
	err := v.clean(ctx, inOrder)
	if err != nil {
		v.result.Status.Error = err.Error()
		v.Log.Warnf("%s: %v", v.Label, err)
	}
	v.result.InOrder = inOrder && err == nil
}

// syncKey makes one slot hold its key. The error may come with a key that works, whose token could not be written.
func (v *volume) syncKey(ctx context.Context, by luks.Key, k keys.Key) (state string, err error) {
	if k.Slot == by.Slot {
		return bootreport.KeyWorks, v.mark(ctx, k)
	}
	state = bootreport.KeyAdded
	switch _, err := v.test(ctx, k); {
	case err == nil:
		return bootreport.KeyWorks, v.mark(ctx, k)
	case errors.Is(err, luks.ErrNoSlot):
	case !definite(err):
		return bootreport.KeyUnknown, err
	default:
		state = bootreport.KeyReplaced
	}
	new, data, err := v.make(ctx, k)
	if err != nil {
		return bootreport.KeyFailed, err
	}
	if err := v.put(ctx, by, k, new, data); err != nil {
		return bootreport.KeyFailed, err
	}
	return state, nil
}

// test says whether the key in a slot is the configured one.
func (v *volume) test(ctx context.Context, k keys.Key) (luks.Key, error) {
	key, err := v.find(ctx, k)
	if err == nil {
		err = v.try(key, func() error { return v.luks.Test(ctx, v.Device, key) })
	}
	return key, err
}

// put puts a new key into its slot, in the place of another one.
func (v *volume) put(ctx context.Context, by luks.Key, k keys.Key, new luks.Key, data any) error {
	if t, ok := v.header.Tokens[k.Slot]; ok && k.Sealed() && !keys.IsOwn(t.Type) {
		return report.Errorf(report.Invalid, "the token %d is another program's, of type %.40q; the key needs another slot", k.Slot, t.Type)
	}
	if _, used := v.header.Keyslots[k.Slot]; used {
		if err := v.luks.KillSlot(ctx, v.Device, k.Slot); err != nil {
			return err
		}
	}
	if err := v.luks.AddKey(ctx, v.Device, by, new); err != nil {
		return err
	}
	if err := v.luks.Test(ctx, v.Device, new); err != nil {
		return err
	}
	return v.writeToken(ctx, k, data)
}

// mark notes that the slot of a key that works is the machine's own.
func (v *volume) mark(ctx context.Context, k keys.Key) error {
	t, _, ok := v.ownToken(k.Slot)
	if v.isMarked(k.Slot) && t.Type == k.TokenType {
		return nil
	}
	if ok && k.Sealed() {
		return v.writeToken(ctx, k, t.UserData)
	}
	return v.writeToken(ctx, k, nil)
}

// clean removes what the configuration no longer has: the machine's own slots, where all others are in order, foreign ones if
// they are to be wiped, and tokens of the machine whose key is gone.
func (v *volume) clean(ctx context.Context, inOrder bool) error {
	if err := v.readHeader(ctx); err != nil {
		return err
	}
	for _, slot := range slices.Sorted(maps.Keys(v.header.Keyslots)) {
		own := v.isMarked(slot)
		switch {
		case v.index(slot) >= 0:
		case inOrder && (own || v.Config.WipeForeignKeys):
			if err := v.luks.KillSlot(ctx, v.Device, slot); err != nil {
				return err
			}
			delete(v.header.Keyslots, slot)
			v.result.Status.Removed = append(v.result.Status.Removed, slot)
			v.Log.Infof("%s: the key of slot %d was removed", v.Label, slot)
		case own:
			v.result.Status.Stale = append(v.result.Status.Stale, slot)
		default:
			v.result.Status.Foreign = append(v.result.Status.Foreign, slot)
		}
	}
	return v.cleanTokens(ctx)
}

func (v *volume) cleanTokens(ctx context.Context) error {
	for _, slot := range slices.Sorted(maps.Keys(v.header.Tokens)) {
		_, salt, own := v.ownToken(slot)
		k, used := v.header.Keyslots[slot]
		if own && v.index(slot) < 0 && (!used || salt != "" && salt != k.KDF.Salt) {
			if err := v.luks.RemoveToken(ctx, v.Device, slot); err != nil {
				return err
			}
		}
	}
	return nil
}
