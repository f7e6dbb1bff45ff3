package hardware

import (
	"path"
	"strings"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// attributes are the files of one device in /sys.
type attributes struct {
	m   kernel.Files
	dir string
}

// text is the attribute's value, or "" where it has none.
func (a attributes) text(name string) string {
	p, err := a.m.ReadFile(path.Join(a.dir, name))
	if err != nil {
		return ""
	}
	return strings.Trim(string(p), " \t\n\x00")
}
