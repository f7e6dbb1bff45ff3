package encryption

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/bootwright/bootwright/initramfs/pid1/encryption/keys"
	"github.com/bootwright/bootwright/initramfs/pid1/encryption/luks"
	"github.com/bootwright/bootwright/internal/report"
)

// token is a token that machines write: the field's form, and in UserData the salt of the slot that it belongs to, which has
// the same number.
type token struct {
	UserData map[string]json.RawMessage `json:"UserData"`
	Type     string                     `json:"type"`
	Keyslots []string                   `json:"keyslots"`
}

const saltName = "bootwrightSalt"

// ownToken is the machine's token of a slot; ok says that there is one. Its salt is "" where another system wrote it.
func (v *volume) ownToken(slot int) (t token, salt string, ok bool) {
	raw, ok := v.header.Tokens[slot]
	if !ok || !keys.IsOwn(raw.Type) || json.Unmarshal(raw.JSON, &t) != nil {
		return token{}, "", false
	}
	json.Unmarshal(t.UserData[saltName], &salt) // another type is no salt
	return t, salt, true
}

// isMarked reports whether the machine itself put the key in a slot.
func (v *volume) isMarked(slot int) bool {
	_, salt, ok := v.ownToken(slot)
	k, used := v.header.Keyslots[slot]
	return ok && used && salt != "" && salt == k.KDF.Salt
}

// writeToken writes the token of a key, over the machine's own one. data is what the token has to hold, JSON or an object.
func (v *volume) writeToken(ctx context.Context, k keys.Key, data any) error {
	if err := v.readHeader(ctx); err != nil {
		return err
	}
	if t, ok := v.header.Tokens[k.Slot]; ok && !keys.IsOwn(t.Type) {
		return report.Errorf(report.Invalid, "the token %d is another program's, of type %.40q; the key needs another slot", k.Slot, t.Type)
	}
	t := token{Type: k.TokenType, Keyslots: []string{}}
	if data != nil {
		text, err := json.Marshal(data)
		if err == nil {
			err = json.Unmarshal(text, &t.UserData)
		}
		if err != nil {
			return fmt.Errorf("token %d: %w", k.Slot, err)
		}
	}
	if t.UserData == nil {
		t.UserData = map[string]json.RawMessage{}
	}
	salt, err := json.Marshal(v.header.Keyslots[k.Slot].KDF.Salt)
	if err != nil {
		return err
	}
	t.UserData[saltName] = salt
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return v.luks.ImportToken(ctx, v.Device, k.Slot, text)
}

// make makes a new key and finds it again, so that none is used that could get lost.
func (v *volume) make(ctx context.Context, k keys.Key) (luks.Key, any, error) {
	key, data, err := k.Make(ctx)
	if err != nil || data == nil {
		return key, data, err
	}
	text, err := json.Marshal(data)
	if err != nil {
		return key, nil, err
	}
	again, err := k.Find(ctx, text)
	if err == nil && !bytes.Equal(again.Secret, key.Secret) {
		err = report.Errorf(report.Unavailable, "what was sealed is not what is unsealed")
	}
	return key, data, err
}

// find finds the key that is in its slot. The error is luks.ErrNoSlot where the slot is empty.
func (v *volume) find(ctx context.Context, k keys.Key) (luks.Key, error) {
	slot, used := v.header.Keyslots[k.Slot]
	if !used {
		return luks.Key{}, luks.ErrNoSlot
	}
	if !k.Sealed() {
		return k.Find(ctx, nil)
	}
	t, salt, ok := v.ownToken(k.Slot)
	switch {
	case !ok || t.Type != k.TokenType:
		return luks.Key{}, report.Errorf(report.NotFound, "the slot has no token of type %s", k.TokenType)
	case salt != "" && salt != slot.KDF.Salt:
		return luks.Key{}, report.Errorf(report.NotFound, "the token is that of a key which is no longer in the slot")
	}
	data, err := json.Marshal(t.UserData)
	if err != nil {
		return luks.Key{}, err
	}
	return k.Find(ctx, data)
}
