package volumes

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/volumes"
)

var errPower = errors.New("the power is cut")

// write is a write that no flush has followed yet, and what was there before.
type write struct {
	at          int64
	data, older []byte
}

// powered is the supply of a disk: it fails after so many writes.
type powered struct {
	mu      sync.Mutex
	d       *fake.Disk
	left    int      // writes; below zero is for ever
	at      []int64  // where was written, for a first run
	pending []*write // what a flush has not confirmed
}

// supply makes the power of a disk fail after left writes.
func supply(d *fake.Disk, left int) *powered {
	p := &powered{d: d, left: left}
	d.Fail = p.fail
	return p
}

func (p *powered) fail(op fake.Op, off, n int64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complete()
	switch {
	case p.left == 0 && op != fake.OpRead:
		return errPower
	case op == fake.OpSync:
		p.pending = nil
	case op == fake.OpWrite:
		p.left--
		p.at = append(p.at, off)
		w := &write{at: off, older: make([]byte, n)}
		p.d.ReadAt(w.older, off)
		p.pending = append(p.pending, w)
	}
	return nil
}

// spend takes the power for a write that is not to the disk.
func (p *powered) spend() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return errPower
	}
	p.left--
	return nil
}

// complete notes what the last write has written.
func (p *powered) complete() {
	if len(p.pending) > 0 {
		if w := p.pending[len(p.pending)-1]; w.data == nil {
			w.data = make([]byte, len(w.older))
			p.d.ReadAt(w.data, w.at)
		}
	}
}

// cut leaves of each pending write all, nothing or the first sectors, as r says.
func (p *powered) cut(r *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complete()
	p.d.Fail = nil
	for i := len(p.pending) - 1; i >= 0; i-- {
		p.d.WriteAt(p.pending[i].older, p.pending[i].at)
	}
	for _, w := range p.pending {
		switch r.IntN(3) {
		case 0:
			p.d.WriteAt(w.data, w.at)
		case 1:
			p.d.WriteAt(w.data[:r.IntN(len(w.data)/512+1)*512], w.at)
		}
	}
}

// cuts are the numbers of writes after which the power is to fail: all, except that of a run of writes one behind the other,
// which overwrite a place with zeros, some are enough.
func cuts(at []int64) (after []int) {
	for i := range at {
		if i > 1 && i+1 < len(at) && at[i]-at[i-1] == 4096 && at[i+1]-at[i] == 4096 && i%1500 != 0 {
			continue
		}
		after = append(after, i)
	}
	return after
}

// marked is whether the data of somebody is in the partition of that name.
func marked(t *testing.T, d *fake.Disk, name string) bool {
	t.Helper()
	table, err := gpt.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		if p.Name == name {
			data := make([]byte, len(mark))
			return blob.ReadFull(p.Content, data, markAt) == nil && string(data) == mark
		}
	}
	return false
}

// TestPowerCuts, of which BOOTWRIGHT_POWERCUTS says how often, cuts the power at every write of a first boot, of a boot on a larger disk and of a wipe. The next boot always
// comes to the same end, and never formats what was mounted before.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	const size, larger = 3 * gib, 5 * gib
	first := systemDisk(t, size)
	done := reborn(t, first, size)
	boot(t, done, plain, volumes.Wipe{})
	states, seeds := 0, uint64(1)
	if more, err := strconv.ParseUint(os.Getenv("BOOTWRIGHT_POWERCUTS"), 10, 32); err == nil {
		seeds = more
	}
	for name, c := range map[string]struct {
		from *fake.Disk
		size int64
		wipe volumes.Wipe
	}{
		"first boot": {first, size, volumes.Wipe{}},
		"grow":       {done, larger, volumes.Wipe{}},
		"wipe":       {done, size, volumes.Wipe{Labels: []string{layout.Ephemeral}}},
	} {
		rehearsal := reborn(t, c.from, c.size)
		p := supply(rehearsal, -1)
		boot(t, rehearsal, plain, c.wipe)
		for _, after := range cuts(p.at) {
			for seed := range seeds {
				d := reborn(t, c.from, c.size)
				p := supply(d, after)
				broken := boot(t, d, plain, c.wipe)
				p.cut(rand.New(rand.NewPCG(seed, uint64(after))))
				kept := map[string]bool{layout.State: len(broken.mounts) > 0, layout.Ephemeral: len(broken.mounts) > 1 && c.wipe.Labels == nil}
				for label, was := range kept {
					kept[label] = was || c.from == done && (label == layout.State || c.wipe.Labels == nil)
				}
				checkNext(t, d, kept)
				states++
				if t.Failed() {
					t.Fatalf("%s, power cut after %d writes, seed %d; before: %s", name, after, seed, strings.Join(broken.lines, "\n"))
				}
			}
		}
	}
	t.Logf("%d states", states)
	if states < 60 {
		t.Errorf("only %d states", states)
	}
}

// checkNext boots a disk after a power cut: both volumes become ready, and those that had data have it.
func checkNext(t *testing.T, d *fake.Disk, kept map[string]bool) {
	t.Helper()
	for label, has := range kept {
		if has && !marked(t, d, label) {
			t.Errorf("%s has lost its data in the power cut", label)
		}
	}
	meta := func() []byte {
		table, err := gpt.Read(d)
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, mib)
		blob.ReadFull(table.Partitions[1].Content, p, 0)
		return p
	}
	before := meta()
	n := boot(t, d, plain, volumes.Wipe{})
	if got := n.phases(); !strings.Contains(got, "STATE ready") || !strings.Contains(got, "EPHEMERAL ready") || len(n.mounts) != 2 {
		t.Errorf("%s\n%s", got, strings.Join(n.lines, "\n"))
	}
	for _, c := range n.m.Started() {
		device := c.Args[len(c.Args)-1]
		if c.Path == mkfs && (kept[layout.State] && device == "/dev/vda3" || kept[layout.Ephemeral] && device == "/dev/vda4") {
			t.Errorf("%s was formatted anew", device)
		}
	}
	table, err := gpt.Read(d)
	if err != nil || table.RecoveredFromBackup || table.BackupDamaged || table.DiskSize != d.Bytes || len(table.Partitions) != 4 {
		t.Errorf("%+v, %v", table, err)
	}
	if !bytes.Equal(before, meta()) {
		t.Error("META has changed")
	}
}
