package bootreport

import (
	"cmp"
	"slices"
)

// EncryptedVolume is a volume whose partition is encrypted, and how its key slots compare with the configuration.
type EncryptedVolume struct {
	Volume    string          `json:"volume"`              // STATE
	Device    string          `json:"device"`              // of the partition
	State     string          `json:"state"`               // open or locked
	Mapped    string          `json:"mapped,omitempty"`    // the device of what is inside
	Slot      *int            `json:"slot,omitempty"`      // whose key opened it
	Formatted bool            `json:"formatted,omitempty"` // at this boot
	Repaired  string          `json:"repaired,omitempty"`  // what was wrong with a copy of the header
	Keys      []EncryptionKey `json:"keys"`                // of the configuration, by slot
	Foreign   []int           `json:"foreign,omitempty"`   // slots that neither the configuration nor the machine knows; they are kept
	Stale     []int           `json:"stale,omitempty"`     // the machine's slots that the configuration no longer has, kept until all others are in order
	Removed   []int           `json:"removed,omitempty"`   // slots that were emptied
	Error     string          `json:"error,omitempty"`     // why it is locked
}

// SetEncryption puts in how a volume is, in the place of how it was. What was done to it at this boot before stays said.
func (r *Report) SetEncryption(v EncryptedVolume) {
	others := make([]EncryptedVolume, 0, len(r.Encryption)+1)
	for _, was := range r.Encryption {
		if was.Volume != v.Volume {
			others = append(others, was)
			continue
		}
		v.Formatted = v.Formatted || was.Formatted
		v.Repaired = cmp.Or(v.Repaired, was.Repaired)
		v.Removed = append(slices.Clone(was.Removed), v.Removed...)
	}
	r.Encryption = append(others, v)
}

// Values of EncryptedVolume.State.
const (
	EncryptionOpen   = "open"
	EncryptionLocked = "locked"
)

// EncryptionKey is a key of the configuration.
type EncryptionKey struct {
	Slot   int    `json:"slot"`
	Kind   string `json:"kind"` // static, nodeID, kms or tpm
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"` // why it does not work, or what was wrong
}

// Values of EncryptionKey.State.
const (
	KeyWorks    = "works"    // it opens the volume
	KeyAdded    = "added"    // its slot was empty; it opens the volume now
	KeyReplaced = "replaced" // its slot held another key; it opens the volume now
	KeyUnknown  = "unknown"  // what seals it does not answer; its slot was left alone
	KeyFailed   = "failed"   // it could not be made or found
	KeyUntried  = "untried"  // another one opened the volume first, and this one was not looked at
)
