package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// What a machine says when something must never be lost again.
const (
	stateUsed     = "volume STATE: mounted"
	ephemeralUsed = "volume EPHEMERAL: mounted"
	configKept    = "the machine configuration is kept in STATE"
	idKept        = "host name kept" // the machine ID was written before, to EPHEMERAL if that was mounted
)

const cutUUID = "5b0d5e8a-71c3-4b52-9f6e-0c8d2a47b913"

// TestBootPowerCuts records what boots write, and cuts the power at moments of them, with what was not flushed lost in part: the
// first boot, and one on a larger disk. What a cut leaves is whole, and the next boot always comes to the same end with the same
// volumes. BOOTWRIGHT_POWERCUT_STATES is the number of cuts of a scenario that are booted; the host looks at a cut after each
// write.
func TestBootPowerCuts(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	kernel, disk := built(t, "kernel", "amd64"), blankSystem(t)
	first := volumesScenario("plain", disk, direct(kernel, configured(t, ""), volumesUp("")))
	first.run(t)
	grow := volumesScenario("grow", copied(t, first), first.machine)
	grow.inUse = true
	if err := os.Truncate(grow.disk, 9<<30); err != nil {
		t.Fatal(err)
	}
	grow.run(t)
}

// copied is the disk that a scenario has left.
func copied(t *testing.T, s *scenario) string {
	t.Helper()
	if s.after.parts == nil { // only the next scenario was asked for
		s.record(t, t.TempDir())
	}
	path := filepath.Join(t.TempDir(), "disk")
	sparse(t, s.final, path)
	return path
}

// blankSystem is a disk onto which a system was put that needs no more than META.
func blankSystem(t *testing.T) string {
	t.Helper()
	image, err := gpt.Format([]gpt.Partition{
		{Name: layout.EFI, Type: gpt.EFISystem(), Content: opened(t, madeBy(t, 8, "mkfs.fat", "-n", "EFI", "FILE"))},
		{Name: layout.Meta, Type: gpt.LinuxFilesystem(), Size: layout.MetaSize},
	}, gpt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	path := oracle.File(t, image)
	if err := os.Truncate(path, 6<<30); err != nil {
		t.Fatal(err)
	}
	return path
}

// configured is an initramfs with a machine configuration, to which more is added below machine.
func configured(t *testing.T, more string) string {
	t.Helper()
	node := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(node, []byte(strings.Replace(configareatest.Worker("kept"), "machine:\n", "machine:\n"+more, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return built(t, "initramfs", "amd64", "--config", node, "--set", "customization.machineConfig.embed=initramfs")
}

// direct is a machine that boots a kernel without a boot loader, until it says something.
func direct(kernel, initrd string, until *regexp.Regexp, more ...string) func(disk, log string) vm.Options {
	return func(disk, log string) vm.Options {
		return vm.Options{
			Kernel: kernel, Initrd: initrd, Append: "console=ttyS0 talos.platform=metal",
			Image: disk, Writable: true, WriteLog: log, ExtraArgs: more, Until: until, Timeout: 8 * time.Minute,
		}
	}
}

// volumesUp is the report of a machine that is ready and has mounted its volumes, which on a busy computer may come later, or
// could not. Where they are encrypted, the passphrases in that slot open them.
func volumesUp(slot string) *regexp.Regexp {
	keys := ""
	if slot != "" {
		keys = strings.Repeat(`"slot":`+slot+`,"kind":"static","state":"(?:works|added|replaced)".*`, 2)
	}
	return regexp.MustCompile(bootreport.Prefix + `.*(` + keys + `"target":"/var"|"phase":"failed").*"readyMs":\d+.*\}\r`)
}

// volumesScenario is one whose machine makes and mounts STATE and EPHEMERAL.
func volumesScenario(name, disk string, machine func(disk, log string) vm.Options) *scenario {
	s := &scenario{
		name: name, disk: disk, machine: machine, says: []string{stateUsed, ephemeralUsed, configKept, idKept},
		kept: volumesKept, booted: volumesReady,
	}
	s.secrets.passphrases = func(label string, slot int) string {
		return map[int]string{0: cutUUID + label, 3: "supersecret", 4: "othersecret"}[slot]
	}
	return s
}

// volumesKept compares the volumes that had been used with those of the boot that was not cut.
func volumesKept(s *scenario, at int, _ blob.Blob, got seen) (err error) {
	for label, text := range map[string]string{layout.State: stateUsed, layout.Ephemeral: ephemeralUsed} {
		if at >= s.since[text] && got.volumes[label] != s.after.volumes[label] {
			err = errors.Join(err, fmt.Errorf("%s was %v, and is %v", label, s.after.volumes[label], got.volumes[label]))
		}
	}
	if encrypted := s.after.volumes[layout.State].header != ""; encrypted && at >= s.since[stateUsed] && got.meta[meta.StateEncryption] == nil {
		err = errors.Join(err, errors.New("META does not say how STATE is opened"))
	}
	return err
}

// volumesReady checks that a machine has come to the end to which one came that nobody disturbed.
func volumesReady(t *testing.T, s *scenario, at int, console, disk string) {
	t.Helper()
	r := lastReport(t, console)
	checkVolumes(t, r, disk, console)
	if len(r.Errors) > 0 || r.Hostname != "kept" {
		t.Errorf("errors %+v, host name %s", r.Errors, r.Hostname)
	}
	if at >= s.since[configKept] && r.Config.Source != bootreport.SourceState {
		t.Errorf("the configuration is %+v", r.Config)
	}
	if was := lastReport(t, s.console); at >= s.since[idKept] && s.since[idKept] >= s.since[ephemeralUsed] && r.MachineID != was.MachineID {
		t.Errorf("the machine is %s, and was %s", r.MachineID, was.MachineID)
	}
	for _, e := range r.Encryption {
		if e.State != bootreport.EncryptionOpen || len(e.Keys) != 2 || len(e.Foreign)+len(e.Stale) > 0 {
			t.Errorf("encryption %+v", e)
		}
		for _, k := range e.Keys {
			if k.State == bootreport.KeyFailed || k.State == bootreport.KeyUnknown {
				t.Errorf("encryption %+v", e)
			}
		}
	}
}

// lastReport is the last boot report on a console, which may end with it.
func lastReport(t *testing.T, console string) *bootreport.Report {
	t.Helper()
	r, err := bootreport.Find([]byte(console + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
