// Package ipxe writes scripts for the network boot loader iPXE (ipxe.org/scripting): those that start one kernel.
package ipxe

import "strings"

// Script loads kernel and initrds from below baseURL and starts them with cmdline, in which ${ is no variable of iPXE. Names without a scheme, as
// with an empty baseURL, are taken relative to the script's own URL; initrd= tells an EFI kernel which of iPXE's files are its initramfs.
func Script(baseURL, kernel string, initrds []string, cmdline string) string {
	if baseURL != "" && !strings.HasSuffix(baseURL, "/") {
		baseURL += "/"
	}
	var args, lines strings.Builder
	for _, name := range initrds {
		args.WriteString(" initrd=" + name)
		lines.WriteString("initrd " + baseURL + name + "\n")
	}
	return "#!ipxe\n" +
		"kernel " + baseURL + kernel + args.String() + " " + strings.ReplaceAll(cmdline, "${", "\\${") + "\n" +
		lines.String() +
		"boot\n"
}
