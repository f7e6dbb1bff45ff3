package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/layout"
)

// startTPM starts a TPM with the state in dir for one boot, and returns what QEMU needs to know of it.
func startTPM(t *testing.T, dir string) []string {
	t.Helper()
	socket := oracle.TPM(t, dir, "ctrl", "--terminate")
	return []string{"-chardev", "socket,id=tpm,path=" + socket, "-tpmdev", "emulator,id=tpm0,chardev=tpm", "-device", "tpm-crb,tpmdev=tpm0"}
}

// TestBootTPM seals the key of STATE with the TPM alone, and has keys of all kinds for EPHEMERAL. Both open with the same UKI. With another
// STATE stays shut, and EPHEMERAL opens by another key and gets a TPM's anew. The service with the kms key is asked as soon as there is
// a network, which is after EPHEMERAL was made or opened by others. At last another guest's cryptsetup finds what was asked for.
func TestBootTPM(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	v, s, state := newVault(t), newKeyService(t), t.TempDir()
	t.Cleanup(s.serve(t))
	node := filepath.Join(t.TempDir(), "node.yaml")
	config := encrypted("{slot: 0, tpm: {}}", "{slot: 0, tpm: {}}, "+s.key(1)+", {slot: 2, nodeID: {}}, {slot: 3, static: {passphrase: a}}", "") + s.roots()
	config = strings.Replace(config, "    ephemeral: {", "    ephemeral: {cipher: aes-xts-plain64, keySize: 256, blockSize: 4096, ", 1)
	if err := os.WriteFile(node, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--config", node, "--set", "customization.machineConfig.embed=initramfs"}
	one := vm.Options{Kernel: built(t, "metal-uki", "amd64", args...), Firmware: vm.UEFI}
	other := vm.Options{Kernel: built(t, "metal-uki", "amd64", append(args, "--extra-kernel-arg", "quiet")...), Firmware: vm.UEFI}
	for _, tt := range []struct {
		name             string
		uki              vm.Options
		state, ephemeral string
	}{
		{"first", one, "open by 0, 0 tpm works, formatted", "open by 0, 0 tpm works, 1 kms added, 2 nodeID works, 3 static works, formatted"},
		{"second", one, "open by 0, 0 tpm works", "open by 0, 0 tpm works, 1 kms works, 2 nodeID works, 3 static works"},
		{"another UKI", other, "locked, 0 tpm failed", "open by 0, 0 tpm works, 1 kms works, 2 nodeID works, 3 static works" +
			" or open by 2, 0 tpm replaced, 1 kms works, 2 nodeID works, 3 static works"}, // where the network is there at the first look
	} {
		r, console := v.boot(tt.uki, `"slot":1,"kind":"kms","state":"(added|works)".*"readyMs":\d+\}`, startTPM(t, state)...)
		v.want(r, console, tt.state, tt.ephemeral)
		if slots, _ := v.slots("EPHEMERAL"); slots != "0 1 2 3" {
			t.Errorf("%s: slots %s", tt.name, slots)
		}
		isOther := tt.name == "another UKI"
		for _, e := range r.Encryption {
			if why := "what was measured at this boot"; isOther && e.State == bootreport.EncryptionLocked && !strings.Contains(e.Keys[0].Reason, why) {
				t.Errorf("%+v; want %s", e, why)
			}
		}
		if replaced := strings.Contains(console, "EPHEMERAL: the tpm key of slot 0 was replaced"); replaced != isOther {
			t.Errorf("%s: replaced: %v\n%s", tt.name, replaced, console)
		}
	}
	dumps := v.dumped(newSystemFiles(t))
	for label, want := range map[string]string{
		layout.State: "0: crypt aes-xts-plain64 512 0: luks2 512 pbkdf2 0: talos-tpm2 0: pbkdf2",
		layout.Ephemeral: "0: crypt aes-xts-plain64 4096 0: luks2 256 pbkdf2 1: luks2 256 pbkdf2 2: luks2 256 argon2id 3: luks2 256 argon2id" +
			" 0: talos-tpm2 1: sideroKMS 2: bootwright 3: bootwright 0: pbkdf2",
	} {
		_, uuid := v.slots(label)
		if got := summary(dumps[label]); got != want || !strings.Contains(dumps[label], uuid) {
			t.Errorf("%s: another guest finds %s, want %s, and this computer the UUID %s\n%s", label, got, want, uuid, dumps[label])
		}
	}
}
