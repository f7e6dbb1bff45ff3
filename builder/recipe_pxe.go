package builder

import (
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
)

// makePXE is the set that a network boot serves from one folder: kernel, initramfs, and the iPXE script that names both.
func makePXE(k *kit) ([]File, error) {
	kernel, err := makeKernel(k)
	if err != nil {
		return nil, err
	}
	initramfs, err := makeInitramfs(k)
	if err != nil {
		return nil, err
	}
	script := ipxeScript(k.plan.Output.PXEOptions.BaseURL, kernel[0].Name, initramfs[0].Name, k.plan.Cmdline)
	return []File{kernel[0], initramfs[0], {k.target() + ".ipxe", "text/plain; charset=utf-8", blob.String(script)}}, nil
}

// ipxeScript follows ipxe.org/scripting. Names without a scheme are taken relative to the script's own URL; initrd= tells
// an EFI kernel which of iPXE's files is the initramfs.
func ipxeScript(baseURL, kernel, initramfs, cmdline string) string {
	if baseURL != "" && !strings.HasSuffix(baseURL, "/") {
		baseURL += "/"
	}
	return "#!ipxe\n" +
		"kernel " + baseURL + kernel + " initrd=" + initramfs + " " + strings.ReplaceAll(cmdline, "${", "\\${") + "\n" +
		"initrd " + baseURL + initramfs + "\n" +
		"boot\n"
}
