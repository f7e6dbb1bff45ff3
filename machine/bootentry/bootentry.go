// Package bootentry is where a system's files are on the partitions that boot loaders read, and how a loader is told which of two
// systems to start. Files are named by what is in them (bootassets.Description.ID), so an old and a new system never share a name.
//
// systemd-boot counts tries in the names of UKIs (Boot Loader Specification, "Boot counting"): "+3" are left, "+2-1" two are left
// after one, and a name without is of a system that was found good. Its menu has one default, a pattern. For GRUB see machine/grub.
package bootentry

import (
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
)

// Tries is how often a new system is started that never says that it is good.
const Tries = 3

// Removable is the file that UEFI starts from a disk without being told (UEFI 2.10, section 3.5.1.1).
func Removable(arch string) string {
	if arch == "arm64" {
		return "EFI/BOOT/BOOTAA64.EFI"
	}
	return "EFI/BOOT/BOOTX64.EFI"
}

const prefix, suffix = "bootwright-", ".efi"

// UKI is the file of the system called id, which needs no counting.
func UKI(id string) string { return path.Join(Linux, prefix+id+suffix) }

// Counted is its file while it is on trial.
func Counted(id string) string {
	return path.Join(Linux, prefix+id+"+"+strconv.Itoa(Tries)+suffix)
}

// Credentials is where systemd-stub finds the machine configuration of a UKI that is not counted.
func Credentials(id string) string { return UKI(id) + ".extra.d/config.cred" }

// Entry is a UKI by its name.
type Entry struct {
	File string // in Linux
	ID   string // empty for the one of an image, which has no number in its name
	Left int    // tries; -1 for a system that was found good
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

// Folder is where BOOT has the files of the system called id.
func Folder(id string) string { return path.Join(Boot, id) }

// Menu is what GRUB's menu has of the system called id; with a configuration its archive is loaded too.
func Menu(id, version, cmdline string, config bool) grub.Entry {
	e := grub.Entry{
		Title: "bootwright " + version, Cmdline: cmdline,
		Kernel: path.Join(Folder(id), "vmlinuz"), Initrds: []string{path.Join(Folder(id), "initramfs.img")},
	}
	if config {
		e.Initrds = append(e.Initrds, path.Join(Folder(id), "config.img"))
	}
	return e
}
