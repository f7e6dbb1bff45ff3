package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// TestBootEncrypted encrypts STATE and EPHEMERAL at the first boot, and opens them at the second: the one with a static key alone, the
// other with one beside a nodeID key, which is refused as the machine has no UUID.
func TestBootEncrypted(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	const static = "{slot: 3, static: {passphrase: supersecret}}"
	node := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(node, []byte(encrypted(static, "{slot: 0, nodeID: {}}, "+static, "")), 0o600); err != nil {
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
		for i, e := range r.Encryption {
			static := e.Keys[len(e.Keys)-1]
			if e.State != bootreport.EncryptionOpen || e.Formatted != first || len(e.Keys) != 1+i || static.State != bootreport.KeyWorks {
				t.Errorf("first=%v: %+v", first, e)
			}
		}
		if nodeID := r.Encryption[1].Keys[0]; nodeID.Reason != "machine UUID is not populated" {
			t.Errorf("first=%v: %+v", first, nodeID)
		}
		for _, p := range r.Phases {
			if p.Name == "state" || p.Name == "var" || p.Name == "disks" {
				t.Logf("%s %d ms", p.Name, p.DurationMS)
			}
		}
	}
}
