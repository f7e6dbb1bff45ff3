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
	files := []File{kernel[0], initramfs[0]}
	if k.part(inputConfig) != nil {
		config, err := k.config()
		if err != nil {
			return nil, err
		}
		files = append(files, File{"config-" + k.target() + ".img", "application/octet-stream", config.Plain()})
	}
	var initrds []string
	for _, f := range files[1:] {
		initrds = append(initrds, f.Name)
	}
	script := ipxeScript(k.plan.Output.PXEOptions.BaseURL, kernel[0].Name, initrds, k.plan.Cmdline)
	return append(files, File{k.target() + ".ipxe", "text/plain; charset=utf-8", blob.String(script)}), nil
}

// ipxeScript follows ipxe.org/scripting. Names without a scheme are taken relative to the script's own URL; initrd= tells
// an EFI kernel which of iPXE's files are its initramfs.
func ipxeScript(baseURL, kernel string, initrds []string, cmdline string) string {
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
