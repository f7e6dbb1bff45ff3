package volumes

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bootwright/bootwright/machine/config"
)

// pick is one of some.
func pick[T any](r *rand.Rand, some ...T) T { return some[r.IntN(len(some))] }

// random is a machine with up to four disks, with any partitions.
func random(r *rand.Rand) string {
	text := "disks:\n"
	for i := range r.IntN(5) {
		text += fmt.Sprintf("  - {name: %s%d, size: %d, sectorSize: %d, transport: %s, readOnly: %v", pick(r, "nvme", "xd"), i, r.Uint64N(30<<30),
			pick(r, 512, 4096), pick(r, "nvme", "sata"), r.IntN(8) == 0)
		if r.IntN(3) == 0 {
			text += fmt.Sprintf(", holds: %s}\n", pick(r, "gpt", "ext4", "unknown", "''"))
			continue
		}
		text += fmt.Sprintf(", damaged: %s, partitions: [", pick(r, "''", "primary", "backup"))
		for range r.IntN(6) {
			text += fmt.Sprintf("{number: %d, label: '%s', size: %dMiB, holds: %s},", r.IntN(9), pick(r, "EFI", "META", "STATE", "EPHEMERAL", "making STATE", "making EPHEMERAL", "", "making volume"),
				pick(r, 1, 1, 100, 3000), pick(r, "xfs", "luks", "unknown", "''", "ext4", "talosmeta"))
		}
		text += "]}\n"
	}
	return text
}

const someConfig = `version: v1alpha1
machine:
  type: worker
  disks:
    - device: /dev/xd1
      partitions:
        - {mountpoint: /var/mnt/rest}
        - {size: 1GB, mountpoint: /var/mnt/one}
%scluster:
  controlPlane:
    endpoint: https://10.0.0.1:6443
---
apiVersion: v1alpha1
kind: VolumeConfig
name: EPHEMERAL
provisioning:
  diskSelector:
    match: %s
  minSize: %d
  maxSize: %d
`

const encrypted = `  systemDiskEncryption:
    state: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}
`

// TestProperties: whatever the disks are, planning comes to an end, never makes partitions that overlap or leave the room of
// their disk, and never touches what holds something.
func TestProperties(t *testing.T) {
	t.Parallel()
	made := 0
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		m, err := ParseDescription("disks.yaml", []byte(random(r)))
		if err != nil {
			continue // partitions that do not fit
		}
		if r.IntN(8) > 0 {
			text := fmt.Sprintf(someConfig, pick(r, "", encrypted), pick(r, "system_disk", "disk.transport == 'nvme'", "'true'"), r.Uint64N(3<<30), pick(r, 0, r.Uint64N(9<<30)))
			if m.Config, err = config.Load("config.yaml", []byte(text)); err != nil {
				t.Fatal(err, text)
			}
		}
		m.Wipe = pick(r, Wipe{}, Wipe{}, Wipe{System: true}, Wipe{Labels: []string{"STATE", "EPHEMERAL"}})
		before := m.Layout()
		steps, after, last := Simulate(m)
		if m.Layout() != before {
			t.Fatal("planning changed what it was given")
		}
		made += len(steps)
		checkUntouched(t, m, after)
		checkTables(t, after)
		for _, v := range last.Volumes {
			if v.Phase == "" || v.Phase != Ready && v.Reason == "" {
				t.Errorf("%+v has no phase, or no reason", v)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d, steps %+v:\n%safter:\n%s", seed, steps, before, after.Layout())
		}
	}
	if made < 500 {
		t.Errorf("only %d steps", made)
	}
}

// checkTables: partitions lie behind each other, in the room of their disk, and have different numbers.
func checkTables(t *testing.T, m Machine) {
	t.Helper()
	for _, d := range m.Disks {
		p := planner{Machine: m}
		numbers, at := map[uint32]bool{}, uint64(0)
		whole := p.whole(d.Name)
		for _, part := range p.partitions(d.Name) {
			if numbers[part.PartitionIndex] || part.Offset < max(at, whole.Table.FirstUsable) || part.Offset+part.Size > whole.Table.EndUsable {
				t.Errorf("%s %d at %d, %d bytes, of %+v", d.Name, part.PartitionIndex, part.Offset, part.Size, whole.Table)
			}
			numbers[part.PartitionIndex], at = true, part.Offset+part.Size
		}
	}
}
