package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootEncrypted encrypts STATE and EPHEMERAL at the first boot, and opens them at the second. The machine has no UUID:
// its nodeID keys are refused, and the static ones open.
func TestBootEncrypted(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	const keys = "{provider: luks2, keys: [{slot: 0, nodeID: {}}, {slot: 3, static: {passphrase: supersecret}}]}"
	node := filepath.Join(t.TempDir(), "node.yaml")
	config := strings.Replace(configareatest.Worker("kept"), "machine:\n", "machine:\n  systemDiskEncryption: {state: "+keys+", ephemeral: "+keys+"}\n", 1)
	if err := os.WriteFile(node, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	disk := built(t, "metal", "amd64", "--config", node, "--set", "output.outFormat=raw")
	if err := os.Truncate(disk, 6<<30); err != nil {
		t.Fatal(err)
	}
	for _, first := range []bool{true, false} {
		console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Writable: true})
		r := vmtest.Report(t, console)
		if len(r.Errors) > 0 || len(r.Encryption) != 2 || len(r.Mounts) != 2 {
			t.Fatalf("errors %+v, encryption %+v, mounts %+v\n%s", r.Errors, r.Encryption, r.Mounts, console)
		}
		for _, e := range r.Encryption {
			if e.State != bootreport.EncryptionOpen || e.Formatted != first || len(e.Keys) != 2 || e.Keys[0].Reason != "machine UUID is not populated" || e.Keys[1].State != bootreport.KeyWorks {
				t.Errorf("first=%v: %+v", first, e)
			}
		}
		for _, p := range r.Phases {
			if p.Name == "state" || p.Name == "var" || p.Name == "disks" {
				t.Logf("%s %d ms", p.Name, p.DurationMS)
			}
		}
	}
}
