package kernelfs

import (
	"path"
	"slices"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// TestMounts: nothing there gives privileges or, but for /dev and what is in it, holds devices; and what is mounted inside another moves
// with it.
func TestMounts(t *testing.T) {
	holds := func(top string) bool {
		return slices.ContainsFunc(Mounts(), func(m kernel.Mount) bool { return m.Target == top })
	}
	for _, m := range slices.Concat(Mounts(), SubMounts()) {
		if m.Flags&kernel.NoSUID == 0 || m.Flags&kernel.NoDev == 0 && m.Type != "devtmpfs" && m.Type != "devpts" {
			t.Errorf("%+v", m)
		}
	}
	for _, m := range SubMounts() {
		top := m.Target
		for path.Dir(top) != "/" {
			top = path.Dir(top)
		}
		if !holds(top) {
			t.Errorf("%s is in no mount that moves", m.Target)
		}
	}
}
