package profiles

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/cmdline"
)

// Platforms are the values of talos.platform.
func Platforms() []string {
	return []string{
		"akamai", "alibabacloud", "aws", "azure", "cloudstack", "digital-ocean", "equinixMetal", "exoscale", "gcp", "hcloud",
		"metal", "nocloud", "opennebula", "openstack", "oracle", "scaleway", "upcloud", "vmware", "vultr",
	}
}

// baseArgs are the kernel arguments before any customization. docs/profiles.md says why each is there.
func baseArgs(arch, platform, kind string) []string {
	args := append([]string{cmdline.Platform + "=" + platform}, platformArgs(arch, platform)...)
	if kind == "iso" {
		args = append(args, cmdline.HaltIfInstalled+"=1")
	}
	args = append(args, "init_on_alloc=1", "slab_nomerge")
	if arch == "amd64" {
		args = append(args, "pti=on") // other kernels hand it to init as an unknown argument
	}
	return append(args, "consoleblank=0", "printk.devkmsg=on")
}

// platformArgs are the consoles of a platform, and what else it needs. The serial console comes last: the last one is
// /dev/console, where init writes, while kernel messages go to all.
func platformArgs(arch, platform string) []string {
	serial := "ttyS0"
	if arch == "arm64" {
		serial = "ttyAMA0"
	}
	consoles := []string{"console=tty0", "console=" + serial + ",115200"}
	switch platform {
	case "aws":
		return append(consoles, "nvme_core.io_timeout=4294967295") // its disks are on a network; a time-out would lose them
	case "equinixMetal":
		if arch == "amd64" {
			serial = "ttyS1"
		}
		return []string{"console=" + serial + ",115200n8"}
	case "vmware":
		return append([]string{cmdline.Config + "=guestinfo"}, append(consoles, "net.ifnames=0")...)
	}
	return consoles
}

// maxCmdline is COMMAND_LINE_SIZE of x86 and arm64 without the final NUL, in bytes. The kernel cuts what is longer off.
const maxCmdline = 2047

// Cmdline is the kernel command line of a resolved profile: the arguments of its platform and kind, META, then
// extraKernelArgs in order. There "-name" removes all arguments of that name so far and "-name=value" the one with that
// value; console and talos.platform replace those before them; any other argument is appended. A value with spaces is
// quoted as the kernel wants it. The error is Invalid.
func (p *Profile) Cmdline() (string, error) {
	words := baseArgs(p.Arch, p.Platform, p.Output.Kind)
	if meta := encodeMeta(p.Customization.MetaContents); meta != "" && p.Output.Kind != "image" { // which has a META partition
		words = append(words, cmdline.Environment+"=INSTALLER_META_BASE64="+meta)
	}
	args, err := cmdline.Customize(cmdline.Parse(strings.Join(words, " ")), p.Customization.ExtraKernelArgs)
	if err != nil {
		return "", report.Errorf(report.Invalid, "%w", err)
	}
	line := args.String()
	if n := len(line); n > maxCmdline {
		return "", report.Errorf(report.Invalid, "the kernel command line has %d bytes, and the kernel cuts off what is beyond %d", n, maxCmdline)
	}
	return line, nil
}

// encodeMeta is the form that META entries take on a kernel command line: "0xKEY=VALUE" joined by semicolons, gzipped
// when longer than 256 bytes, in base64. It is empty without entries.
func encodeMeta(metas []Meta) string {
	var entries []string
	for _, m := range metas {
		entries = append(entries, fmt.Sprintf("0x%x=%s", m.Key, m.Value))
	}
	raw := []byte(strings.Join(entries, ";"))
	if len(raw) > 256 {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // a valid level and a Buffer: neither fails
		w.Write(raw)
		w.Close()
		raw = b.Bytes()
	}
	return base64.StdEncoding.EncodeToString(raw)
}
