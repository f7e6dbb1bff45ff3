package bootreport

import (
	"bytes"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
)

func full() *Report {
	yes, no := true, false
	return &Report{
		Version: "v1.0.0", Epoch: 1700000000, Base: "debian-12 1", Kernel: "6.1.0-1-amd64", Arch: "amd64", Platform: "metal",
		Arguments:   map[string]string{"talos.platform": "metal", "talos.config": "http://h/c"},
		Unknown:     []cmdline.Unknown{{Name: "talos.platfrom", Nearest: "talos.platform"}},
		CommandLine: "console=ttyS0", Firmware: Firmware{"uefi", &yes, &no}, Machine: Machine{"QEMU", "q35", "u", "s"}, CPUs: 2,
		Memory: Memory{1 << 30, 1 << 29}, Clock: Clock{"2000-01-01T00:00:00Z", true, true, true, []string{"time"}, "10.0.0.1", 1.5, 0.5, 2, 1, 32, 1, []string{"why"}}, Root: Root{"/rootfs.sqsh", 4096, []string{"base"}},
		Hostname: "node-1", Network: Network{
			Links: []Link{{"eth0", "", "52:54:00:00:00:01", "virtio_net", "0000:00:03.0", true, true, 1500, "", []Address{{"10.0.2.15/24", "dhcp"}},
				&WireGuard{"k", 51820, []WireGuardPeer{{"p", "10.0.0.2:51820", true}}, "why"}}},
			Routes: []Route{{"0.0.0.0/0", "10.0.2.2", "eth0", 1024, "dhcp"}}, Leases: []Lease{{"eth0", 4, "10.0.2.15/24", "10.0.2.2", 86400, ""}},
			Hostname: &Setting{[]string{"node-1"}, "configuration"}, Faults: []string{"bond0: why"},
		},
		Config:  Config{Source: "talos.config", Origin: "http://h/c", Waiting: "why"},
		Modules: Modules{[]Module{{"loop", 1.5}}, []string{"aesni_intel"}, []Failed{{"x", "why"}}, []string{"loop"}, 12},
		Disks:   []Disk{{Name: "vda", Size: 1 << 30, SectorSize: 512, Transport: "virtio", Model: "m", Serial: "s", ReadOnly: true, Rotational: true, Removable: true, CDROM: true}},
		Logs: Logs{
			[]LogRing{{"machined", 20, 10, 4096}}, []LogDestination{{"tcp://h:1/", "services", "waiting", 8, 1, "connection refused"}}, 3,
		},
		Phases: []Phase{{"kernel", 0, 900}}, ReadyMS: 2000, Errors: []Error{{"modules", "what: why", true}},
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestLine pins the names of the fields, which others rely on.
func TestLine(t *testing.T) {
	const golden = "testdata/report.golden"
	got := full().Line()
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v\ngot  %swant %s", err, got, want)
	}
}

func TestFind(t *testing.T) {
	line := string(full().Line())
	for _, c := range []struct {
		name, console string
		kind          report.Kind
		ok            bool
	}{
		{"behind other text", "GRUB!\x1b[2J" + line + Ready + "\n", 0, true},
		{"carriage returns", line[:len(line)-1] + "\r\n" + Ready + "\r\n", 0, true},
		{"the second is not whole", line + Prefix + `{"version":"v2`, 0, true},
		{"the last counts", Prefix + "{}\n" + line, 0, true},
		{"none", "booting\n", report.NotFound, false},
		{"not whole", Prefix + `{"version`, report.NotFound, false},
		{"torn by something else", Prefix + "{\"ver[  1.0] oops\n", report.Invalid, false},
	} {
		got, err := Find([]byte(c.console))
		switch {
		case c.ok && (err != nil || !reflect.DeepEqual(got, full())):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		case !c.ok && (err == nil || report.KindOf(err) != c.kind):
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}
