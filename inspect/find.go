package inspect

import (
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Find is the item at a path below it, such as "boot/efi.img/EFI/Linux/bootwright.efi/.cmdline". Of several archives of
// an initramfs the last that has the path wins, as in the kernel; "#2/init" names one of them.
func (it *Item) Find(path string) (*Item, error) {
	found := it.find(strings.Trim(path, "/"))
	if found == nil {
		err := report.Errorf(report.NotFound, "%s has no %s", it.Name, path)
		return nil, report.WithHint(err, "`bootwright inspect %s` lists what it has", it.Name)
	}
	return found, nil
}

func (it *Item) find(path string) *Item {
	if path == "" {
		return it
	}
	for i := len(it.Items) - 1; i >= 0; i-- {
		child := it.Items[i]
		if rest, ok := strings.CutPrefix(path, strings.Trim(child.Name, "/")); ok && (rest == "" || rest[0] == '/') {
			if found := child.find(strings.TrimPrefix(rest, "/")); found != nil {
				return found
			}
		}
		if child.layer {
			if found := child.find(path); found != nil {
				return found
			}
		}
	}
	return nil
}
