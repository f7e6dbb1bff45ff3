// Package bootentry is where a system's files are on the partitions that boot loaders read, and how a loader is told which of two
// systems to start. Files are named by what is in them (bootassets.Description.ID), so an old and a new system never share a name.
//
// systemd-boot counts tries in the names of UKIs (Boot Loader Specification, "Boot counting"): "+3" are left, "+2-1" two are left
// after one, and a name without is of a system that was found good. Its menu has one default, a pattern. For GRUB see machine/grub.
package bootentry

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/machine/grub"
)

// Files and folders of the EFI system partition.
const (
	Linux      = "EFI/Linux" // UKIs, which the boot menu finds there
	LoaderConf = "loader/loader.conf"
)

// Files and folders of the BOOT partition.
const (
	Boot       = "boot" // a folder for each system
	GRUBConfig = "boot/grub/grub.cfg"
	GRUBEnv    = "boot/grub/grubenv" // where GRUB counts
)

// Tries is how often a new system is started that never says that it is good.
const Tries = grub.Tries

// Removable is the file that UEFI starts from a disk without being told (UEFI 2.10, section 3.5.1.1).
func Removable(arch string) string {
	if arch == "arm64" {
		return "EFI/BOOT/BOOTAA64.EFI"
	}
	return "EFI/BOOT/BOOTX64.EFI"
}

// Loaders are the files in which an EFI system partition may have systemd-boot: the removable one, and where bootctl(1) puts it.
func Loaders(arch string) []string {
	if arch == "arm64" {
		return []string{Removable(arch), "EFI/systemd/systemd-bootaa64.efi"}
	}
	return []string{Removable(arch), "EFI/systemd/systemd-bootx64.efi"}
}

const prefix, suffix = "bootwright-", ".efi"

// UKI is the file of the system called id, which needs no counting.
func UKI(id string) string { return path.Join(Linux, prefix+id+suffix) }

// Counted is its file while it is on trial.
func Counted(id string) string {
	return path.Join(Linux, prefix+id+"+"+strconv.Itoa(Tries)+suffix)
}

// Credentials is where systemd-stub finds the machine configuration of the UKI uki: in a folder that is called like it, the count included.
func Credentials(uki string) string { return uki + Extra + "/config.cred" }

// Extra is behind the name of a UKI in that of its folder.
const Extra = ".extra.d"

// Names are all files that the UKI of a counted system will be while it runs: systemd-boot takes a try away before it starts one. The last
// is the one that was found good.
func Names(id string) (names []string) {
	for done := 1; done <= Tries; done++ {
		names = append(names, path.Join(Linux, fmt.Sprintf("%s%s+%d-%d%s", prefix, id, Tries-done, done, suffix)))
	}
	return append(names, UKI(id))
}

// Entry is a UKI by its name.
type Entry struct {
	File string // in Linux
	ID   string // empty for the one of an image, which has no number in its name
	Left int    // tries; -1 for a system that was found good
}

// Name is what a system is called in notes: bootwright-0123456789ab, or bootwright for that of an image.
func Name(id string) string {
	if id == "" {
		return strings.TrimSuffix(prefix, "-")
	}
	return prefix + id
}

// Parse reads the name of a file in Linux; false for one that is no system of ours.
func Parse(name string) (Entry, bool) {
	m := regexp.MustCompile(`^bootwright(?:-([0-9a-f]{12}))?(?:\+([0-9]{1,3})(?:-[0-9]{1,3})?)?\.efi$`).FindStringSubmatch(strings.ToLower(name))
	if m == nil {
		return Entry{}, false
	}
	e := Entry{File: name, ID: m[1], Left: -1}
	if m[2] != "" {
		e.Left, _ = strconv.Atoi(m[2]) // three digits
	}
	return e, true
}

// Loader is the configuration of systemd-boot (loader.conf(5)) that starts the system called id as long as it is good or has tries
// left: its pattern is that of the names in both states, and not of one whose tries are used up. Then the menu has no default, and
// systemd-boot takes the first entry, behind which it sorts those without tries.
func Loader(id string) string {
	return "timeout 3\neditor yes\ndefault " + prefix + id + "[.+][1-9e]*\n"
}

// Default is the system that a loader.conf names; empty for none.
func Default(conf string) string {
	m := regexp.MustCompile(`(?m)^default ` + prefix + `([0-9a-f]{12})\[`).FindStringSubmatch(conf)
	if m == nil {
		return ""
	}
	return m[1]
}

// Folder is where BOOT has the files of the system called id, or of that of an image.
func Folder(id string) string { return path.Join(Boot, id) }

// Kernel is its kernel, by which GRUB's menu and the kernel's own command line tell systems apart.
func Kernel(id string) string { return path.Join(Folder(id), "vmlinuz") }

// ParseKernel is the system whose kernel has that path, with or without what GRUB puts in front: (hd0,gpt3)/boot/ID/vmlinuz. It is
// false where the path is none of ours.
func ParseKernel(name string) (id string, ok bool) {
	m := regexp.MustCompile(`^(?:\([^()]*\))?/?boot/(?:([0-9a-f]{12})/)?vmlinuz$`).FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

// Menu is what GRUB's menu has of the system called id; with a configuration its archive is loaded too.
func Menu(id, version, cmdline string, config bool) grub.Entry {
	e := grub.Entry{
		Title: "bootwright " + version, Cmdline: cmdline,
		Kernel: Kernel(id), Initrds: []string{path.Join(Folder(id), "initramfs.img")},
	}
	if config {
		e.Initrds = append(e.Initrds, path.Join(Folder(id), "config.img"))
	}
	return e
}
