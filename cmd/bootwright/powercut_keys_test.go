package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/luks2"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/layout"
)

const (
	// Two configurations of volumes, of the same length: in the second the passphrase is another, in another slot.
	cutKeys     = "{provider: luks2, keys: [{slot: 0, nodeID: {}}, {slot: 3, static: {passphrase: supersecret}}]}"
	cutKeysNext = "{provider: luks2, keys: [{slot: 0, nodeID: {}}, {slot: 4, static: {passphrase: othersecret}}]}"
)

// TestBootPowerCutsKeys cuts the power of a first boot with encrypted volumes, and of one with a key for another.
func TestBootPowerCutsKeys(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	kernel, disk := built(t, "kernel", "amd64"), blankSystem(t)
	config := "  systemDiskEncryption: {state: " + cutKeys + ", ephemeral: " + cutKeys + "}\n"
	initrd := configured(t, config)
	first := volumesScenario("encrypted", disk, direct(kernel, initrd, volumesUp("3"), "-uuid", cutUUID, "-cpu", "max"))
	first.run(t)
	rotation := volumesScenario("rotation", copied(t, first), direct(kernel, initrd, volumesUp("4"), "-uuid", cutUUID, "-cpu", "max"))
	rotation.inUse = true
	reconfigure(t, rotation.disk, first.secrets)
	rotation.run(t)
}

// reconfigure changes the keys in the configuration that an encrypted STATE holds, as another configuration does that a machine
// gets while it runs, and that counts from the next boot on.
func reconfigure(t *testing.T, disk string, k secrets) {
	t.Helper()
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	changed := 0
	for _, p := range partitions(opened(t, disk)) {
		if p.Name != layout.State {
			continue
		}
		h, _, err := luks2.Read(p.Content)
		if err != nil {
			t.Fatal(err)
		}
		inside, err := decrypt(p.Content, h.DataOffset(), k.keys[h.UUID])
		if err != nil {
			t.Fatal(err)
		}
		for at := int64(0); at < inside.Size(); at += 4096 {
			block := make([]byte, 4096)
			if err := blob.ReadFull(inside, block, at); err != nil {
				t.Fatal(err)
			}
			if !bytes.HasPrefix(block, []byte("version: v1alpha1")) {
				continue
			}
			changed += bytes.Count(block, []byte(cutKeys))
			if err := inside.write(io.NewOffsetWriter(f, p.Start), bytes.ReplaceAll(block, []byte(cutKeys), []byte(cutKeysNext)), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	if changed != 2 {
		t.Fatalf("%d lists of keys were changed", changed)
	}
}
