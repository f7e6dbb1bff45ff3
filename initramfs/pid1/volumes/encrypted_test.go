package volumes

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/disktest"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

// vault is the encrypted STATE of a machine, whose key slots hold passphrases.
type vault struct {
	slots map[int]string
	spend func() error // the power for a change
	away  bool         // what seals keys does not answer
	opens int          // how often it was asked for
}

// open follows Deps.Open as package encryption does.
func (v *vault) open(ctx context.Context, q Opening) (Opened, error) {
	v.opens++
	keys := map[int]string{}
	works := false
	for _, k := range q.Spec.Encryption.Keys {
		keys[k.Slot] = k.Static.Passphrase
		works = works || v.slots[k.Slot] == k.Static.Passphrase
	}
	if v.away {
		return Opened{Again: true}, report.Errorf(report.Unavailable, "no answer")
	}
	if !works {
		return Opened{}, report.Errorf(report.Invalid, "no key opens it")
	}
	got := Opened{Inside: "/dev/dm-0"}
	if q.OpenOnly {
		return got, nil
	}
	if err := q.Opens(ctx); err != nil {
		return got, err
	}
	for _, slot := range slices.Sorted(maps.Keys(keys)) {
		if v.slots[slot] == keys[slot] {
			continue
		}
		if err := v.spend(); err != nil {
			return got, err
		}
		delete(v.slots, slot)
		if err := v.spend(); err != nil {
			return got, err
		}
		v.slots[slot] = keys[slot]
	}
	for _, slot := range slices.Sorted(maps.Keys(v.slots)) {
		if _, wanted := keys[slot]; !wanted {
			if err := v.spend(); err != nil {
				return got, err
			}
			delete(v.slots, slot)
		}
	}
	got.InOrder = true
	return got, nil
}

// withKeys is a machine configuration whose STATE has keys, "SLOT PASSPHRASE, …".
func withKeys(list string) string {
	var keys []string
	for key := range strings.SplitSeq(list, ", ") {
		slot, passphrase, _ := strings.Cut(key, " ")
		keys = append(keys, fmt.Sprintf("{slot: %s, static: {passphrase: %s}}", slot, passphrase))
	}
	return strings.Replace(plain, "{type: worker}", "{type: worker, systemDiskEncryption: {state: {provider: luks2, keys: ["+strings.Join(keys, ", ")+"]}}}", 1)
}

func encryptionOf(t *testing.T, list string) *v1alpha1.Encryption {
	t.Helper()
	c, err := config.Load("config.yaml", []byte(withKeys(list)))
	if err != nil {
		t.Fatal(err)
	}
	return c.Main().Machine.SystemDiskEncryption.State
}

// locked is a machine's disk with an encrypted STATE of which META has the keys in the list.
func locked(t *testing.T, list string) *disktest.Disk {
	t.Helper()
	const size = 6 * gib
	header := blob.String("LUKS\xba\xbe\x00\x01")
	d := systemDisk(t, size, gpt.Partition{Name: layout.State, Type: gpt.LinuxFilesystem(), Size: layout.StateSize, Content: header},
		gpt.Partition{Name: layout.Ephemeral, Type: gpt.LinuxFilesystem(), Size: gib, Content: header}) // which nobody has a key for
	writeMeta(t, d, meta.Values{meta.StateEncryption: volumes.EncodeStateEncryption(encryptionOf(t, list)), meta.UUIDOverride: []byte("u")})
	return d
}

func metaAt(t *testing.T, d *disktest.Disk) int64 {
	t.Helper()
	table, err := gpt.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	return table.Partitions[1].Start
}

func writeMeta(t *testing.T, d *disktest.Disk, v meta.Values) {
	t.Helper()
	p, err := meta.Encode(v)
	if err == nil {
		_, err = d.WriteAt(p, metaAt(t, d))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readMeta(t *testing.T, d *disktest.Disk) meta.Values {
	t.Helper()
	p := make([]byte, mib)
	if _, err := d.ReadAt(p, metaAt(t, d)); err != nil {
		t.Fatal(err)
	}
	v, _, err := meta.Read(blob.Bytes(p))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// bootLocked boots a machine that finds the first configuration in STATE and is given the others later, and returns the one
// that STATE has in the end, which is the last, unless the power failed before.
func bootLocked(t *testing.T, d *disktest.Disk, v *vault, texts ...string) (kept string, n *node) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, d)
		m.AddDisk(&disktest.Disk{Name: "dm-0", Bytes: 64 * mib})
		if err := m.mkfs(t.Context(), "/dev/dm-0"); err != nil {
			t.Fatal(err)
		}
		n = newNode(t, m, "", volumes.Wipe{})
		n.Runner.Open = func(ctx context.Context, q Opening) (Opened, error) {
			if s, _ := n.Status().Get(); string(s.Meta[meta.UUIDOverride]) != "u" {
				t.Error("STATE is opened before it is known what META has")
			}
			return v.open(ctx, q)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(time.Second / 2)
		for i, text := range texts {
			if s, _ := n.Status().Get(); s.Mounts[layout.State] == "" {
				t.Errorf("STATE is not open: %s\n%s", n.phases(), strings.Join(n.lines, "\n"))
				break
			}
			if i > 0 && v.spend() != nil {
				break
			}
			kept = text
			c, err := config.Load("config.yaml", []byte(withKeys(text)))
			if err != nil {
				t.Fatal(err)
			}
			n.config.Set(c)
			time.Sleep(time.Second / 2)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return kept, n
}

// TestKeysWithoutReboot changes the keys of STATE twice while the machine runs, and cuts the power at every step of it. META
// always names a key that opens, and the next boot ends with the keys of the configuration that STATE has, in STATE and META.
func TestKeysWithoutReboot(t *testing.T) {
	for _, texts := range [][]string{
		{"0 a", "0 a, 1 b", "1 b"},
		{"0 a, 1 x", "0 c, 1 x", "0 c, 2 d", "2 d"},
	} {
		before := map[int]string{}
		for _, k := range encryptionOf(t, texts[0]).Keys {
			before[k.Slot] = k.Static.Passphrase
		}
		for cut, done := 0, false; !done; cut++ {
			d := locked(t, texts[0])
			p := supply(d, cut)
			at := metaAt(t, d)
			d.Fail = func(op disktest.Op, off, n int64) error { // other tests cut the power of others
				if off < at || off >= at+mib {
					return nil
				}
				return p.fail(op, off, n)
			}
			v := &vault{slots: maps.Clone(before), spend: p.spend}
			kept, _ := bootLocked(t, d, v, texts...)
			done = p.left > 0
			p.cut(rand.New(rand.NewPCG(1, uint64(cut))))
			named, err := volumes.DecodeStateEncryption(readMeta(t, d)[meta.StateEncryption])
			if err != nil || !slices.ContainsFunc(named.Keys, func(k v1alpha1.EncryptionKey) bool { return v.slots[k.Slot] == k.Static.Passphrase }) {
				t.Fatalf("%q, cut after %d: META names %+v, %v; the slots are %v", texts, cut, named, err, v.slots)
			}
			v.spend = func() error { return nil }
			next := reborn(t, d, d.Bytes)
			bootLocked(t, next, v, kept)
			want := volumes.EncodeStateEncryption(encryptionOf(t, kept))
			after := readMeta(t, next)
			if string(after[meta.StateEncryption]) != string(want) || string(after[meta.UUIDOverride]) != "u" || len(v.slots) != len(encryptionOf(t, kept).Keys) {
				t.Fatalf("%q, cut after %d: the next boot has %s in META and %v in the slots; want %s", texts, cut, after[meta.StateEncryption], v.slots, want)
			}
			if done && cut < 6 {
				t.Errorf("%q: only %d power cuts", texts, cut)
			}
		}
	}
}

// TestKeysThatDoNotOpen: a configuration none of whose keys opens STATE changes nothing, and META keeps what does.
func TestKeysThatDoNotOpen(t *testing.T) {
	d := locked(t, "0 a")
	v := &vault{slots: map[int]string{0: "a"}, spend: func() error { return nil }}
	_, n := bootLocked(t, d, v, "0 b")
	if got := readMeta(t, d)[meta.StateEncryption]; string(got) != string(volumes.EncodeStateEncryption(encryptionOf(t, "0 a"))) || v.slots[0] != "a" || v.opens != 2 {
		t.Errorf("META has %s, the slots %v after %d attempts", got, v.slots, v.opens)
	}
	if s := n.phases(); !strings.Contains(s, "STATE ready") || !strings.Contains(strings.Join(n.lines, "\n"), "its keys stay as they are: no key opens it") {
		t.Errorf("%s\n%s", s, strings.Join(n.lines, "\n"))
	}
}
