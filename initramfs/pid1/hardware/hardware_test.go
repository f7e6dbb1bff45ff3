package hardware

import (
	"reflect"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
)

func TestMachine(t *testing.T) {
	pc := fake.New(t, map[string]string{
		"sys/class/dmi/id/sys_vendor": "V\n", "sys/class/dmi/id/product_name": "P\n", "sys/class/dmi/id/product_serial": "S\n",
		"sys/class/dmi/id/product_uuid": "U\n", "sys/devices/system/cpu/online": "0-2,4\n", "proc/meminfo": "MemTotal:  3 kB\n",
	})
	if got, want := Machine(pc), (bootreport.Machine{Vendor: "V", Product: "P", UUID: "U", Serial: "S"}); got != want {
		t.Errorf("%+v", got)
	}
	if got := CPUs(pc); got != 4 {
		t.Errorf("%d CPUs", got)
	}
	if got, want := Memory(pc), (bootreport.Memory{Total: 3072}); got != want {
		t.Errorf("%+v", got)
	}
	board := fake.New(t, map[string]string{"sys/firmware/devicetree/base/model": "Board\x00", "sys/firmware/devicetree/base/serial-number": "7\x00"})
	if got, want := Machine(board), (bootreport.Machine{Product: "Board", Serial: "7"}); got != want {
		t.Errorf("%+v", got)
	}
	nothing := fake.New(t, nil)
	if CPUs(nothing) != 0 || Memory(nothing) != (bootreport.Memory{}) || Machine(nothing) != (bootreport.Machine{}) {
		t.Error("something of nothing")
	}
}

func TestFirmware(t *testing.T) {
	const vars = "sys/firmware/efi/efivars/"
	const global = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"
	yes, no := true, false
	for name, c := range map[string]struct {
		files map[string]string
		want  bootreport.Firmware
	}{
		"bios":       {nil, bootreport.Firmware{Type: "bios"}},
		"devicetree": {map[string]string{"sys/firmware/devicetree/base/x": ""}, bootreport.Firmware{Type: "devicetree"}},
		"uefi":       {map[string]string{"sys/firmware/efi/x": "", vars + "SecureBoot" + global: "short"[:4]}, bootreport.Firmware{Type: "uefi"}},
		"secure boot": {map[string]string{vars + "SecureBoot" + global: "\x06\x00\x00\x00\x01", vars + "SetupMode" + global: "\x06\x00\x00\x00\x00"},
			bootreport.Firmware{Type: "uefi", SecureBoot: &yes, SetupMode: &no}},
	} {
		if got := Firmware(fake.New(t, c.files)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestInit(t *testing.T) {
	m := fake.New(t, map[string]string{"proc/self/status": "Name:\tinit\nVmRSS:\t  2048 kB\n", "proc/self/stat": "1 (a) b) S 0 1 1 0 -1 4 9 9 9 9 12 34 0 0 20\n"})
	if got, want := Init(m), (bootreport.Init{Resident: 2 << 20, UserMS: 120, SystemMS: 340}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := Init(fake.New(t, map[string]string{"proc/self/stat": "x"})); got != (bootreport.Init{}) {
		t.Errorf("of nothing %+v", got)
	}
}

// TestID: the firmware tells machines apart, or else the first network interface that has an address.
func TestID(t *testing.T) {
	files := map[string]string{"sys/class/net/lo/address": "00:00:00:00:00:00\n", "sys/class/net/eth0/address": "52:54:00:00:00:01\n", "sys/class/net/tun0/x": ""}
	m := fake.New(t, files)
	if id, macs := ID(m), MACs(m); id != "52:54:00:00:00:01" || len(macs) != 1 {
		t.Errorf("%q, %q", id, macs)
	}
	files["sys/class/dmi/id/product_uuid"] = "U\n"
	if id := ID(fake.New(t, files)); id != "U" {
		t.Errorf("%q", id)
	}
	if id := ID(fake.New(t, nil)); id != "" {
		t.Errorf("%q", id)
	}
}
