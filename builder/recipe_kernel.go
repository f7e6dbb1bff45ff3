package builder

import "github.com/bootwright/bootwright/builder/base"

func makeKernel(k *kit) ([]File, error) {
	return []File{{"kernel-" + k.plan.Arch, "application/octet-stream", k.part(base.Kernel)}}, nil
}
