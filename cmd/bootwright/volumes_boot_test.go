package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootVolumes boots a disk image on a larger disk: STATE and EPHEMERAL are made; the second boot finds them and the
// configuration in STATE, which is nowhere else any more; the third finds the disk larger again.
func TestBootVolumes(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir := t.TempDir()
	node := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(node, []byte(configareatest.Worker("kept")), 0o600); err != nil {
		t.Fatal(err)
	}
	disk := built(t, "metal", "amd64", "--config", node, "--set", "output.outFormat=raw")
	boot := func(size int64, wantSource, says string) *bootreport.Report {
		t.Helper()
		if err := os.Truncate(disk, size); err != nil {
			t.Fatal(err)
		}
		console := vmtest.Boot(t, vm.Options{Image: disk, As: vm.Disk, Writable: true})
		r := vmtest.Report(t, console)
		if len(r.Errors) > 0 || r.Config.Source != wantSource || r.Hostname != "kept" || !strings.Contains(console, says) {
			t.Errorf("errors %+v, configuration %+v, host name %s\n%s", r.Errors, r.Config, r.Hostname, console)
		}
		checkVolumes(t, r, disk, console)
		return r
	}
	const size = 6 << 30
	first := boot(size, bootreport.SourceBaked, "create partition")
	bootwright(t, "config", "reset", disk)
	second := boot(size, bootreport.SourceState, "volume STATE: mounted")
	third := boot(size+3<<30, bootreport.SourceState, "the file system has grown")
	ephemeral := func(r *bootreport.Report) bootreport.Volume { return r.Volumes[2] }
	if a, b := ephemeral(first), ephemeral(second); a.Size != b.Size || a.Location != b.Location {
		t.Errorf("the second boot has %+v, the first had %+v", b, a)
	}
	if a, b := ephemeral(second).Size, ephemeral(third).Size; b < a+5<<29 {
		t.Errorf("EPHEMERAL had %d bytes and has %d on a disk that is 3 GiB larger", a, b)
	}
	for _, r := range []*bootreport.Report{first, second, third} {
		var took []string
		for _, p := range r.Phases {
			if p.Name == "state" || p.Name == "var" || p.Name == "disks" {
				took = append(took, fmt.Sprintf("%s %d ms", p.Name, p.DurationMS))
			}
		}
		t.Log(strings.Join(took, ", "))
	}
}

// checkVolumes compares what a machine says of its volumes with what is on its disk.
func checkVolumes(t *testing.T, r *bootreport.Report, disk, console string) {
	t.Helper()
	var got []string
	for _, v := range r.Volumes {
		got = append(got, strings.TrimSpace(v.ID+" "+v.Phase+" "+v.Reason))
	}
	for _, m := range r.Mounts {
		got = append(got, m.Volume+" on "+m.Target)
	}
	if want := "META ready, STATE ready, EPHEMERAL ready, STATE on /system/state, EPHEMERAL on /var"; strings.Join(got, ", ") != want {
		t.Fatalf("%q, want %s\n%s", got, want, console)
	}
	f, err := blob.OpenFile(disk)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := gpt.Read(f)
	if err != nil || table.BackupDamaged || table.RecoveredFromBackup || table.DiskSize != f.Size() {
		t.Errorf("%+v, %v", table, err)
	}
	if out := oracle.Run(t, "sgdisk", "-v", disk); !strings.Contains(out, "No problems found") {
		t.Error(out)
	}
}
