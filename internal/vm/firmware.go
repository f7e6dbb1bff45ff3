package vm

import "path/filepath"

// target is what QEMU needs to be a machine of one architecture.
type target struct {
	machine     string
	cpu         string // under TCG; "" is QEMU's own choice
	qemu        string
	qemuPackage string
	uefiPackage string
	uefi        []uefi
}

// uefi is a firmware image and its blank variables. Paths that are not absolute are under QEMU's own data folder.
type uefi struct{ code, vars string }

// targets are the machines there are. Firmware comes in the order of preference; the comments say who installs it.
var targets = map[string]target{
	"amd64": {
		machine: "q35", qemu: "qemu-system-x86_64", qemuPackage: "qemu-system-x86", uefiPackage: "ovmf",
		uefi: []uefi{
			{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},                 // Debian, Ubuntu
			{"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},                       // the same, older
			{"/usr/share/edk2/ovmf/OVMF_CODE.fd", "/usr/share/edk2/ovmf/OVMF_VARS.fd"},             // Fedora
			{"/usr/share/edk2/x64/OVMF_CODE.4m.fd", "/usr/share/edk2/x64/OVMF_VARS.4m.fd"},         // Arch
			{"/usr/share/qemu/ovmf-x86_64-4m-code.bin", "/usr/share/qemu/ovmf-x86_64-4m-vars.bin"}, // openSUSE
			{"edk2-x86_64-code.fd", "edk2-i386-vars.fd"},                                           // QEMU itself
		},
	},
	"arm64": {
		machine: "virt", cpu: "cortex-a57", qemu: "qemu-system-aarch64", qemuPackage: "qemu-system-arm", uefiPackage: "qemu-efi-aarch64",
		uefi: []uefi{
			{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},                                // Debian, Ubuntu
			{"/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw", "/usr/share/edk2/aarch64/vars-template-pflash.raw"}, // Fedora
			{"/usr/share/edk2/aarch64/QEMU_CODE.fd", "/usr/share/edk2/aarch64/QEMU_VARS.fd"},                    // Arch
			{"/usr/share/qemu/aavmf-aarch64-code.bin", "/usr/share/qemu/aavmf-aarch64-vars.bin"},                // openSUSE
			{"edk2-aarch64-code.fd", "edk2-arm-vars.fd"},                                                        // QEMU itself
		},
	},
}

// findUEFI is the first firmware of t of which both files are there.
func findUEFI(t target, qemu string, has func(string) bool) (code, vars string) {
	data := filepath.Join(filepath.Dir(filepath.Dir(qemu)), "share", "qemu")
	at := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(data, path)
	}
	for _, u := range t.uefi {
		if has(at(u.code)) && has(at(u.vars)) {
			return at(u.code), at(u.vars)
		}
	}
	return "", ""
}
