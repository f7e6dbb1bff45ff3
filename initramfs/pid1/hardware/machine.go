// Package hardware reads what the kernel says of the machine in /sys and /proc.
package hardware

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Machine is what the firmware calls the machine: SMBIOS, or else the device tree.
func Machine(m kernel.Files) bootreport.Machine {
	dmi, tree := attributes{m, "/sys/class/dmi/id"}, attributes{m, "/sys/firmware/devicetree/base"}
	return bootreport.Machine{
		Vendor:  dmi.text("sys_vendor"),
		Product: cmp.Or(dmi.text("product_name"), tree.text("model")),
		UUID:    dmi.text("product_uuid"),
		Serial:  cmp.Or(dmi.text("product_serial"), tree.text("serial-number")),
	}
}

// HasUEFI tells whether UEFI started the kernel.
func HasUEFI(m kernel.Files) bool {
	_, err := m.ReadDir("/sys/firmware/efi")
	return err == nil
}

// Firmware is what started the kernel. With UEFI its variables must be mounted, or what they say is left out.
func Firmware(m kernel.Files) bootreport.Firmware {
	if HasUEFI(m) {
		return bootreport.Firmware{Type: "uefi", SecureBoot: variable(m, "SecureBoot"), SetupMode: variable(m, "SetupMode")}
	}
	if _, err := m.ReadDir("/sys/firmware/devicetree/base"); err == nil {
		return bootreport.Firmware{Type: "devicetree"}
	}
	return bootreport.Firmware{Type: "bios"}
}

// variable is a global UEFI variable of one byte (UEFI 2.10, 3.3); its file has 4 bytes of attributes first.
func variable(m kernel.Files, name string) *bool {
	p, err := m.ReadFile("/sys/firmware/efi/efivars/" + name + "-8be4df61-93ca-11d2-aa0d-00e098032b8c")
	if err != nil || len(p) != 5 {
		return nil
	}
	set := p[4] == 1
	return &set
}

// Memory is that of /proc/meminfo.
func Memory(m kernel.Files) bootreport.Memory {
	p, _ := m.ReadFile("/proc/meminfo")
	return bootreport.Memory{Total: kilobytes(string(p), "MemTotal:"), Available: kilobytes(string(p), "MemAvailable:")}
}

func kilobytes(meminfo, key string) int64 {
	for line := range strings.Lines(meminfo) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == key {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// CPUs is how many processors are online.
func CPUs(m kernel.Files) int {
	p, _ := m.ReadFile("/sys/devices/system/cpu/online")
	n := 0
	for part := range strings.SplitSeq(strings.TrimSpace(string(p)), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		lo, err := strconv.Atoi(first)
		hi, err2 := strconv.Atoi(last)
		if err == nil && err2 == nil && hi >= lo {
			n += hi - lo + 1
		}
	}
	return n
}

// MACs are the hardware addresses of the machine's network interfaces, without those that have none.
func MACs(m kernel.Files) []string {
	entries, _ := m.ReadDir("/sys/class/net")
	var out []string
	for _, e := range entries {
		p, _ := m.ReadFile("/sys/class/net/" + e.Name() + "/address")
		if mac := strings.TrimSpace(string(p)); mac != "" && mac != "00:00:00:00:00:00" {
			out = append(out, mac)
		}
	}
	return out
}

// ID tells this machine from others: it is the firmware's UUID, else a hardware address, or "".
func ID(m kernel.Files) string {
	if id := Machine(m).UUID; id != "" {
		return id
	}
	for _, mac := range MACs(m) {
		return mac
	}
	return ""
}
