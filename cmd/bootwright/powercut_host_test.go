package main

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

// seen is what the host sees on a disk without booting it.
type seen struct {
	parts   []gpt.Partition // without content
	meta    meta.Values
	volumes map[string]identity // STATE and EPHEMERAL, where they have their names
	slots   map[string][]int    // of those that are encrypted
}

// identity is what tells a volume from one that was made anew.
type identity struct{ partition, header, filesystem string }

// keptBy is nil if all volumes are the same on a later disk.
func (s seen) keptBy(later seen) (err error) {
	for label, was := range s.volumes {
		if later.volumes[label] != was {
			err = errors.Join(err, fmt.Errorf("%s was %v before the boot, and is %v", label, was, later.volumes[label]))
		}
	}
	return err
}

// like is nil if other has the same partitions, values and key slots, though they may have been made at another time.
func (s seen) like(other seen) error {
	same := slices.EqualFunc(s.parts, other.parts, func(a, b gpt.Partition) bool {
		a.GUID = b.GUID
		return reflect.DeepEqual(a, b)
	})
	if !same || !reflect.DeepEqual(s.meta, other.meta) || !reflect.DeepEqual(s.slots, other.slots) {
		return fmt.Errorf("the disk became %+v\nwithout a cut it is %+v", other, s)
	}
	return nil
}

// vital tells whether there is something at off that all depends on: a table, META, the header of a volume.
func (s seen) vital(off int64) bool {
	const mib = 1 << 20
	end := int64(0)
	for _, p := range s.parts {
		end = max(end, p.End())
		if (p.Name == layout.Meta || p.Name == layout.State || p.Name == layout.Ephemeral) && off >= p.Start && off < p.Start+mib {
			return true
		}
	}
	return off < mib || off >= end
}

// secrets are what opens encrypted volumes. The passphrases come with a scenario; what they give is found out.
type secrets struct {
	passphrases func(label string, slot int) string
	slots       map[string]blob.Digest // what key slots hold, by their salts
	keys        map[string][]byte      // of volumes, by the UUIDs of their headers
}

// learn makes the encrypted volumes of a disk known that is as it is to be: each passphrase opens its slot.
func (k *secrets) learn(t *testing.T, disk blob.Blob) {
	t.Helper()
	if k.keys == nil {
		k.slots, k.keys = map[string]blob.Digest{}, map[string][]byte{}
	}
	for _, p := range partitions(disk) {
		h, damaged, err := luks2.Read(p.Content)
		if errors.Is(err, luks2.ErrNone) {
			continue
		}
		if err != nil || damaged.Damaged() {
			t.Fatalf("%s: %v, %v", p.Name, err, damaged)
		}
		file := header(t, p)
		for slot, s := range h.Keyslots {
			if k.slots[s.KDF.Salt], err = blob.Sum(t.Context(), blob.Slice(p.Content, s.Area.Offset, s.Area.Size)); err != nil {
				t.Fatal(err)
			}
			if k.keys[h.UUID] == nil {
				k.keys[h.UUID] = k.volumeKey(t, file, p.Name, slot)
			} else if err := k.open(t, file, p.Name, slot); err != nil {
				t.Errorf("%s: slot %d: %v", p.Name, slot, err)
			}
		}
	}
}

// open has cryptsetup try the passphrase of a slot.
func (k *secrets) open(t *testing.T, header, label string, slot int) error {
	t.Helper()
	_, err := oracle.TryRun(t, "cryptsetup", "open", "--test-passphrase", "--key-slot", strconv.Itoa(slot), "--key-file", k.passphrase(t, label, slot), header)
	return err
}

// partitions are those of a disk; none where it has no table.
func partitions(disk blob.Blob) []gpt.Partition {
	table, err := gpt.Read(disk)
	if err != nil {
		return nil
	}
	return table.Partitions
}

// header is a file with the start of an encrypted partition, which has all but the data.
func header(t *testing.T, p gpt.Partition) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "header")
	if err := blob.WriteFile(t.Context(), path, blob.Slice(p.Content, 0, 17<<20), blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return path
}

// passphrase is a file with what opens a slot.
func (k *secrets) passphrase(t *testing.T, label string, slot int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "passphrase")
	if err := os.WriteFile(path, []byte(k.passphrases(label, slot)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// volumeKey has cryptsetup say what the data is encrypted with.
func (k *secrets) volumeKey(t *testing.T, header, label string, slot int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	oracle.Run(t, "cryptsetup", "luksDump", "-q", "--dump-volume-key", "--volume-key-file", path, "--key-slot", strconv.Itoa(slot),
		"--key-file", k.passphrase(t, label, slot), header)
	key, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// look is what the host sees on a disk, of which each table, header and superblock must be whole, or have a whole copy.
func (s *scenario) look(disk blob.Blob, k *secrets) (seen, error) {
	got := seen{volumes: map[string]identity{}, slots: map[string][]int{}}
	table, err := gpt.Read(disk)
	if s.blank && report.KindOf(err) == report.NotFound {
		return got, nil
	}
	if err != nil {
		return got, err
	}
	for _, p := range table.Partitions {
		switch p.Name {
		case layout.EFI, layout.Boot:
			if inside, _ := probe.Probe(p.Content); inside.Name == probe.VFAT {
				_, err = salvage(p.Content)
			}
		case layout.Meta:
			if got.meta, _, err = meta.Read(p.Content); errors.Is(err, meta.ErrEmpty) {
				err = nil
			}
		case layout.State, layout.Ephemeral:
			got.volumes[p.Name], got.slots[p.Name], err = k.volume(p)
		}
		if err != nil {
			return got, fmt.Errorf("%s: %w", p.Name, err)
		}
		p.Content = nil
		got.parts = append(got.parts, p)
	}
	return got, nil
}

// consistent is nil if all partitions are as they were, as they become, or half-made.
func (s *scenario) consistent(parts []gpt.Partition) error {
	at := func(in []gpt.Partition, p gpt.Partition) gpt.Partition {
		i := slices.IndexFunc(in, func(o gpt.Partition) bool { return o.GUID == p.GUID })
		if i < 0 {
			return gpt.Partition{}
		}
		return in[i]
	}
	for _, was := range s.before.parts {
		if at(parts, was).Name == "" {
			return fmt.Errorf("%s is gone", was.Name)
		}
	}
	for _, p := range parts {
		before, after := at(s.before.parts, p), at(s.after.parts, p)
		name, start := cmp.Or(after.Name, before.Name), cmp.Or(after.Start, before.Start)
		if p.Start != start || p.Size != before.Size && p.Size != after.Size || p.Name != name && (before.Name != "" || p.Name != volumes.UnfinishedName(name)) {
			return fmt.Errorf("partition %d is %s, %d bytes at %d: neither as before (%+v) nor as after (%+v)", p.Number, p.Name, p.Size, p.Start, before, after)
		}
	}
	return nil
}

// volume is what is in a partition that has the name of a volume.
func (k *secrets) volume(p gpt.Partition) (id identity, slots []int, err error) {
	id.partition = p.GUID.String()
	inside, err := probe.Probe(p.Content)
	if err == nil && inside.Name == probe.LUKS {
		id.header = inside.UUID
		var h *luks2.Header
		if h, _, err = luks2.Read(p.Content); err != nil {
			return id, nil, err
		}
		slots = slices.Sorted(maps.Keys(h.Keyslots))
		if k.works(p, h) == 0 {
			return id, slots, fmt.Errorf("none of its %d keys opens it any more", len(h.Keyslots))
		}
		var data decrypted
		if data, err = decrypt(p.Content, h.DataOffset(), k.keys[h.UUID]); err == nil {
			inside, err = probe.Probe(data)
		}
	}
	if err != nil || inside.Name != probe.XFS || inside.UUID == "" {
		return id, slots, fmt.Errorf("it holds %+v, %v", inside, err)
	}
	id.filesystem = inside.UUID
	return id, slots, nil
}

// works counts the slots that hold what they should: none that has never opened the volume is counted.
func (k *secrets) works(p gpt.Partition, h *luks2.Header) (n int) {
	for _, slot := range h.Keyslots {
		area := make([]byte, slot.Area.Size)
		if blob.ReadFull(p.Content, area, slot.Area.Offset) == nil && blob.SumBytes(area) == k.slots[slot.KDF.Salt] {
			n++
		}
	}
	return n
}

// judge has cryptsetup read the header of each encrypted volume, and try each key. It returns how many volumes there were.
func (k *secrets) judge(t *testing.T, disk blob.Blob) (n int) {
	t.Helper()
	for _, p := range partitions(disk) {
		h, _, err := luks2.Read(p.Content)
		if err != nil || p.Name != layout.State && p.Name != layout.Ephemeral {
			continue
		}
		file, opens := header(t, p), 0
		oracle.Run(t, "cryptsetup", "luksDump", file)
		for slot := range h.Keyslots {
			if k.open(t, file, p.Name, slot) == nil {
				opens++
			}
		}
		if want := k.works(p, h); opens != want {
			t.Errorf("%s: cryptsetup opens it with %d keys, want %d", p.Name, opens, want)
		}
		n++
	}
	return n
}

// decrypted is the data of an encrypted volume: AES-XTS (IEEE 1619) in sectors of 512 bytes, whose numbers are the tweaks
// ("aes-xts-plain64").
type decrypted struct {
	from         blob.Blob
	off          int64
	data, tweaks cipher.Block
}

// decrypt is the data behind off, of a key that is two keys.
func decrypt(from blob.Blob, off int64, key []byte) (d decrypted, err error) {
	d = decrypted{from: from, off: off}
	if d.data, err = aes.NewCipher(key[:len(key)/2]); err == nil {
		d.tweaks, err = aes.NewCipher(key[len(key)/2:])
	}
	return d, err
}

func (d decrypted) Size() int64 { return d.from.Size() - d.off }

func (d decrypted) ReadAt(p []byte, off int64) (int, error) {
	n := min(int64(len(p)), d.Size()-off)
	start := off / 512 * 512
	buf := make([]byte, blob.Align(off+n, 512)-start)
	if err := blob.ReadFull(d.from, buf, d.off+start); err != nil {
		return 0, err
	}
	d.xts(buf, start, d.data.Decrypt)
	if copy(p, buf[off-start:]); n < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// write changes what is in the data, in whole sectors.
func (d decrypted) write(w io.WriterAt, p []byte, off int64) error {
	p = slices.Clone(p)
	d.xts(p, off, d.data.Encrypt)
	_, err := w.WriteAt(p, d.off+off)
	return err
}

// xts encrypts or decrypts whole sectors at off.
func (d decrypted) xts(p []byte, off int64, direction func(dst, src []byte)) {
	for i := 0; i < len(p); i += 512 {
		var tweak [16]byte
		binary.LittleEndian.PutUint64(tweak[:], uint64(off+int64(i))/512)
		d.tweaks.Encrypt(tweak[:], tweak[:])
		for b := p[i : i+512]; len(b) > 0; b = b[16:] {
			subtle.XORBytes(b, b[:16], tweak[:])
			direction(b[:16], b[:16])
			subtle.XORBytes(b, b[:16], tweak[:])
			double(&tweak)
		}
	}
}

// double multiplies by x in the field of 2^128 elements.
func double(t *[16]byte) {
	carry := byte(0)
	for i := range t {
		t[i], carry = t[i]<<1|carry, t[i]>>7
	}
	t[0] ^= carry * 0x87
}
