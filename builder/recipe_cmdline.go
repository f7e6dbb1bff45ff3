package builder

import "github.com/bootwright/bootwright/formats/blob"

func makeCmdline(k *kit) ([]File, error) {
	return []File{{"cmdline-" + k.target(), "text/plain; charset=utf-8", blob.String(k.plan.Cmdline)}}, nil
}
