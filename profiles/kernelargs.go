package profiles

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
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
	args := append([]string{"talos.platform=" + platform}, platformArgs(arch, platform)...)
	if kind == "iso" {
		args = append(args, "talos.halt_if_installed=1")
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
		return append([]string{"talos.config=guestinfo"}, append(consoles, "net.ifnames=0")...)
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
	args := baseArgs(p.Arch, p.Platform, p.Output.Kind)
	if meta := encodeMeta(p.Customization.MetaContents); meta != "" {
		args = append(args, "talos.environment=INSTALLER_META_BASE64="+meta)
	}
	args, err := customize(args, p.Customization.ExtraKernelArgs)
	if err != nil {
		return "", err
	}
	line := strings.Join(args, " ")
	if n := len(line); n > maxCmdline {
		return "", report.Errorf(report.Invalid, "the kernel command line has %d bytes, and the kernel cuts off what is beyond %d", n, maxCmdline)
	}
	return line, nil
}

// customize applies extra to args.
func customize(args, extra []string) ([]string, error) {
	replaced := map[string]bool{}
	for _, e := range extra {
		negated := strings.TrimPrefix(e, "-")
		a, err := parseKernelArg(negated)
		if err != nil {
			return nil, err
		}
		if negated != e {
			args = slices.DeleteFunc(args, func(arg string) bool {
				return arg == a.String() || !a.valued && nameOf(arg) == a.name
			})
			continue
		}
		if (a.name == "console" || a.name == "talos.platform") && !replaced[a.name] {
			args = slices.DeleteFunc(args, func(arg string) bool { return nameOf(arg) == a.name })
			replaced[a.name] = true
		}
		args = append(args, a.String())
	}
	return args, nil
}

// kernelArg is one argument: name, or name=value.
type kernelArg struct {
	name, value string
	valued      bool
}

// parseKernelArg reads name, name=value or name="value with spaces"; the quotes may be left out.
func parseKernelArg(s string) (kernelArg, error) {
	name, value, valued := strings.Cut(s, "=")
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = value[1 : len(value)-1]
	}
	bad := func(r rune) bool { return r < ' ' || r > '~' || r == '"' }
	switch {
	case name == "" || name[0] == '-':
		return kernelArg{}, fmt.Errorf("%.100q names no kernel argument", s)
	case strings.ContainsRune(name, ' '):
		return kernelArg{}, report.WithHint(fmt.Errorf("%.100q has a space in its name", s), "give each argument as an item of its own")
	case strings.ContainsFunc(name+value, bad):
		return kernelArg{}, report.WithHint(fmt.Errorf("%.100q cannot stand on a kernel command line", s),
			"printable ASCII only; quotes only around a value")
	}
	return kernelArg{name, value, valued}, nil
}

func (a kernelArg) String() string {
	switch {
	case !a.valued:
		return a.name
	case strings.Contains(a.value, " "):
		return a.name + `="` + a.value + `"`
	}
	return a.name + "=" + a.value
}

func nameOf(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	return name
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
