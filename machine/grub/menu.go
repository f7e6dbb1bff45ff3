package grub

import (
	"fmt"
	"strings"
)

// Config is the menu that the prebuilt GRUB reads (GRUB manual, "Writing full configuration files directly"). It speaks on the
// screen and on the first serial port, as the kernel does.
func Config(kernel, initramfs, version, cmdline string) string {
	return fmt.Sprintf(`serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=3
set default=0
menuentry %s {
  linux %s %s
  initrd %s
}
`, quote("bootwright "+version), kernel, args(cmdline), initramfs)
}

// args quotes each kernel argument, so that GRUB expands nothing in it. An argument whose value holds spaces loses its
// own quotes: GRUB puts some around the whole argument again, which the kernel reads the same.
func args(cmdline string) string {
	var out []string
	quoted := false
	for _, a := range strings.FieldsFunc(cmdline, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ' ' && !quoted
	}) {
		out = append(out, quote(strings.ReplaceAll(a, `"`, "")))
	}
	return strings.Join(out, " ")
}

func quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
