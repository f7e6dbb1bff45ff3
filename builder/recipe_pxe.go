package builder

import (
	"github.com/bootwright/bootwright/builder/ipxe"
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
	script := ipxe.Script(k.plan.Output.PXEOptions.BaseURL, kernel[0].Name, initrds, k.plan.Cmdline)
	return append(files, File{k.target() + ".ipxe", "text/plain; charset=utf-8", blob.String(script)}), nil
}
