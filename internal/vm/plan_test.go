package vm

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

// debian is a host with everything from Debian's packages and the named files; kvm says whether KVM works.
func debian(kvm bool, files ...string) host {
	have := map[string]bool{"/usr/share/qemu/edk2-x86_64-code.fd": true}
	for _, f := range append(files, "/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd",
		"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd") {
		have[f] = true
	}
	return host{
		arch: "amd64",
		look: func(name string) (string, error) { return "/usr/bin/" + name, nil },
		has:  func(path string) bool { return have[path] },
		kvm:  func() bool { return kvm },
	}
}

func TestArgs(t *testing.T) {
	const common = "-m 1024 -display none -nodefaults -no-user-config -serial stdio -device virtio-rng-pci -no-reboot"
	const ovmf = " -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd" +
		" -drive if=pflash,unit=1,format=raw,file=/tmp/vars"
	for _, tt := range []struct {
		name string
		o    Options
		kvm  bool
		want string
	}{
		{"nothing but an image", Options{Image: "a.img"}, false, "-machine q35 -accel tcg " + common + ovmf +
			" -drive if=none,id=boot,format=raw,file=a.img,snapshot=on -device virtio-blk-pci,drive=boot,bootindex=1"},
		{"kvm", Options{Image: "a.img", Firmware: BIOS, Writable: true}, true, "-machine q35 -accel kvm " + common + " -cpu host" +
			" -drive if=none,id=boot,format=raw,file=a.img -device virtio-blk-pci,drive=boot,bootindex=1"},
		{"kvm not wanted", Options{Image: "a.img", Firmware: BIOS, Accel: "tcg", As: USB}, true, "-machine q35 -accel tcg " + common +
			" -drive if=none,id=boot,format=raw,file=a.img,snapshot=on -device qemu-xhci -device usb-storage,drive=boot,removable=on,bootindex=1"},
		{"a CD whose name has a comma", Options{Image: "a,b.iso", Firmware: BIOS, As: CDROM}, false, "-machine q35 -accel tcg " + common +
			" -drive if=none,id=boot,format=raw,file=a,,b.iso,media=cdrom,readonly=on -device virtio-scsi-pci -device scsi-cd,drive=boot,bootindex=1"},
		{"a kernel needs no firmware", Options{Kernel: "k", Initrd: "i", Append: "a b", ExtraArgs: []string{"-s"}}, false,
			"-machine q35 -accel tcg " + common + " -kernel k -initrd i -append a b -s"},
		{"recorded", Options{Image: "a.img", Firmware: BIOS, Writable: true, WriteLog: "k"}, false, "-machine q35 -accel tcg " + common +
			" -drive if=none,id=boot,discard=unmap,driver=blklogwrites,log-super-update-interval=1,file.driver=file,file.filename=a.img,log.driver=file,log.filename=k" +
			" -device virtio-blk-pci,drive=boot,bootindex=1"},
		{"restarts", Options{Image: "a.img", Firmware: BIOS, Reboots: true}, false, "-machine q35 -accel tcg " + strings.TrimSuffix(common, " -no-reboot") +
			" -drive if=none,id=boot,format=raw,file=a.img,snapshot=on -device virtio-blk-pci,drive=boot,bootindex=1"},
		{"another architecture", Options{Image: "a.img", Arch: "arm64"}, true, "-machine virt -accel tcg " + common + " -cpu cortex-a57" +
			" -drive if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/AAVMF/AAVMF_CODE.fd -drive if=pflash,unit=1,format=raw,file=/tmp/vars" +
			" -drive if=none,id=boot,format=raw,file=a.img,snapshot=on -device virtio-blk-pci,drive=boot,bootindex=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := plan(tt.o, debian(tt.kvm, "a.img", "a,b.iso", "k", "i"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(m.args("/tmp/vars"), " "); got != tt.want {
				t.Errorf("args:\n got %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	bare := debian(false, "a.img")
	bare.look = func(string) (string, error) { return "", errors.New("no such program") }
	noFirmware := debian(false)
	noFirmware.has = func(path string) bool { return path == "a.img" }
	for _, tt := range []struct {
		o    Options
		h    host
		kind report.Kind
		want string // in the error or its hint
	}{
		{Options{}, bare, report.Invalid, "no image and no kernel"},
		{Options{Image: "b.img"}, bare, report.NotFound, "b.img: file does not exist"},
		{Options{Kernel: "b"}, bare, report.NotFound, "b: file does not exist"},
		{Options{Image: "a.img", Arch: "riscv64"}, bare, report.Unsupported, "riscv64"},
		{Options{Image: "a.img", As: "tape"}, bare, report.Invalid, "cdrom, disk or usb"},
		{Options{Image: "a.img", Firmware: "coreboot"}, bare, report.Invalid, "uefi and bios"},
		{Options{Image: "a.img", Firmware: BIOS, Arch: "arm64"}, bare, report.Unsupported, "has no BIOS"},
		{Options{Image: "a.img", Append: "quiet"}, bare, report.Invalid, "needs a kernel"},
		{Options{Image: "a.img", WriteLog: "a.img"}, bare, report.Invalid, "recorded"},
		{Options{Image: "a.img", MemoryMiB: -1}, bare, report.Invalid, "too small"},
		{Options{Image: "a.img"}, bare, report.NotFound, "apt-get install qemu-system-x86"},
		{Options{Image: "a.img", Arch: "arm64"}, bare, report.NotFound, "apt-get install qemu-system-arm"},
		{Options{Image: "a.img"}, noFirmware, report.NotFound, "apt-get install ovmf"},
		{Options{Image: "a.img", Arch: "arm64"}, noFirmware, report.NotFound, "apt-get install qemu-efi-aarch64"},
		{Options{Image: "a.img", Accel: "kvm"}, debian(false, "a.img"), report.Unavailable, "TCG"},
		{Options{Image: "a.img", Accel: "kvm", Arch: "arm64"}, debian(true, "a.img"), report.Unavailable, "KVM does not run arm64"},
		{Options{Image: "a.img", Accel: "hvf"}, debian(true, "a.img"), report.Invalid, "kvm and tcg"},
	} {
		_, err := plan(tt.o, tt.h)
		if err == nil || report.KindOf(err) != tt.kind || !strings.Contains(err.Error()+" "+report.HintOf(err), tt.want) {
			t.Errorf("plan(%+v) = %v (%v, hint %q), want %v with %q", tt.o, err, report.KindOf(err), report.HintOf(err), tt.kind, tt.want)
		}
	}
	if _, err := plan(Options{Image: "b.img"}, bare); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing image is %v, not fs.ErrNotExist", err)
	}
}

// Firmware that lacks its variables is of no use; QEMU's own is beside the QEMU that was found.
func TestFindUEFI(t *testing.T) {
	for _, tt := range []struct {
		files      []string
		code, vars string
	}{
		{nil, "", ""},
		{[]string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
			"/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"},
		{[]string{"/opt/share/qemu/edk2-x86_64-code.fd", "/opt/share/qemu/edk2-i386-vars.fd"},
			"/opt/share/qemu/edk2-x86_64-code.fd", "/opt/share/qemu/edk2-i386-vars.fd"},
	} {
		h := map[string]bool{}
		for _, f := range tt.files {
			h[f] = true
		}
		code, vars := findUEFI(targets["amd64"], "/opt/bin/qemu-system-x86_64", func(p string) bool { return h[p] })
		if code != tt.code || vars != tt.vars {
			t.Errorf("with %q: %q, %q; want %q, %q", tt.files, code, vars, tt.code, tt.vars)
		}
	}
}
