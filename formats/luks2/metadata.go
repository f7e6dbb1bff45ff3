package luks2

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Metadata is the JSON of a header, by the numbers of its objects.
type Metadata struct {
	Keyslots map[int]Keyslot
	Tokens   map[int]Token
	Segments map[int]Segment
	Digests  map[int]Digest
	Config   Config
}

// Keyslot is a key slot: the volume's key, encrypted by a key that a passphrase gives.
type Keyslot struct {
	Type    string `json:"type"`
	KeySize int    `json:"key_size"` // of the volume's key in bytes
	KDF     KDF    `json:"kdf"`
	Area    Area   `json:"area"`
}

// KDF is how the passphrase becomes a key. Salt, in base64, is random and so tells keys apart that were put in the same slot
// one after another.
type KDF struct {
	Type       string `json:"type"` // argon2id, argon2i or pbkdf2
	Salt       string `json:"salt"`
	Time       int    `json:"time"`       // Argon2: passes
	Memory     int    `json:"memory"`     // Argon2: in KiB
	CPUs       int    `json:"cpus"`       // Argon2: lanes
	Iterations int    `json:"iterations"` // PBKDF2
}

// Area is where a key slot is, in bytes from the start of the volume.
type Area struct {
	Offset int64 `json:"offset,string"`
	Size   int64 `json:"size,string"`
}

// Token is what a program keeps in a header, such as a sealed passphrase.
type Token struct {
	Type     string   `json:"type"`
	Keyslots []string `json:"keyslots"`
	JSON     []byte   `json:"-"` // all of it
}

// Segment is encrypted data.
type Segment struct {
	Type       string `json:"type"` // crypt, or linear in a conversion
	Offset     int64  `json:"offset,string"`
	Size       string `json:"size"` // in bytes, or "dynamic": up to the end
	Encryption string `json:"encryption"`
	SectorSize int    `json:"sector_size"`
}

// Digest says which key slots and segments have the same volume key.
type Digest struct {
	Type     string   `json:"type"`
	Keyslots []string `json:"keyslots"`
	Segments []string `json:"segments"`
}

// Config is about the header itself.
type Config struct {
	JSONSize     int64 `json:"json_size,string"`
	KeyslotsSize int64 `json:"keyslots_size,string"`
	Requirements struct {
		Mandatory []string `json:"mandatory"` // what a program must know to use the volume
	} `json:"requirements"`
}

// DataOffset is where the encrypted data begins, in bytes from the start of the volume.
func (m *Metadata) DataOffset() int64 {
	first := m.Segments[slices.Min(slices.Collect(maps.Keys(m.Segments)))]
	for _, s := range m.Segments {
		first.Offset = min(first.Offset, s.Offset)
	}
	return first.Offset
}

// decodeMetadata reads and checks the JSON. h.Size is known.
func (h *Header) decodeMetadata(p []byte) error {
	var raw struct {
		Keyslots, Tokens, Segments, Digests map[string]json.RawMessage
		Config                              Config
	}
	if err := json.Unmarshal(p, &raw); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	h.Config = raw.Config
	var faults [4]error
	h.Keyslots, faults[0] = numbered[Keyslot]("keyslot", raw.Keyslots, Slots)
	h.Tokens, faults[1] = numbered[Token]("token", raw.Tokens, Slots)
	h.Segments, faults[2] = numbered[Segment]("segment", raw.Segments, Slots)
	h.Digests, faults[3] = numbered[Digest]("digest", raw.Digests, Slots)
	if err := errors.Join(faults[:]...); err != nil {
		return err
	}
	for id, t := range h.Tokens {
		t.JSON = raw.Tokens[strconv.Itoa(id)]
		h.Tokens[id] = t
	}
	return h.check()
}

// numbered decodes objects whose names are numbers below limit.
func numbered[T any](what string, raw map[string]json.RawMessage, limit int) (map[int]T, error) {
	objects := make(map[int]T, len(raw))
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		id, err := strconv.Atoi(name)
		if err != nil || id < 0 || id >= limit || strconv.Itoa(id) != name {
			return nil, fmt.Errorf("metadata: a %s is called %.20q", what, name)
		}
		var object T
		if err := json.Unmarshal(raw[name], &object); err != nil {
			return nil, fmt.Errorf("metadata: %s %d: %w", what, id, err)
		}
		objects[id] = object
	}
	return objects, nil
}

// check holds the numbers of the metadata against each other.
func (h *Header) check() error {
	if h.Config.JSONSize != h.Size-binarySize {
		return fmt.Errorf("metadata: json_size %d in a header of %d bytes", h.Config.JSONSize, h.Size)
	}
	if len(h.Segments) == 0 {
		return errors.New("metadata: no segment")
	}
	begin := 2 * h.Size
	if h.Config.KeyslotsSize < 0 || h.DataOffset() < 0 {
		return errors.New("metadata: a negative size")
	}
	for id, k := range h.Keyslots {
		a := k.Area
		if a.Offset < begin || a.Size < 0 || a.Offset-begin > h.Config.KeyslotsSize-a.Size {
			return fmt.Errorf("metadata: keyslot %d has the area [%d,+%d), which is not among the key slots", id, a.Offset, a.Size)
		}
	}
	for id, s := range h.Segments {
		if size, err := strconv.ParseInt(s.Size, 10, 64); s.Size != "dynamic" && (err != nil || size < 0) {
			return fmt.Errorf("metadata: segment %d has the size %.20q", id, s.Size)
		}
	}
	return nil
}
