package inspect

import (
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
)

// Find is the item at a path below it, such as "boot/efi.img/EFI/Linux/bootwright.efi/.cmdline". Of several archives of
// an initramfs the last that has the path wins, as in the kernel; "#2/init" names one of them.
func (it *Item) Find(path string) (*Item, error) {
	found := it.find(strings.Trim(path, "/"))
	if found != nil {
		return found, nil
	}
	hint := "`bootwright inspect %s` lists what it has"
	switch {
	case it.hasFolder(strings.Trim(path, "/")):
		return nil, report.WithHint(report.Errorf(report.Invalid, "%s:%s is a folder", it.Name, path), hint, it.Name)
	case it.Note != "":
		return nil, report.Errorf(report.NotFound, "%s has no %s that can be read: %s", it.Name, path, it.Note)
	}
	return nil, report.WithHint(report.Errorf(report.NotFound, "%s has no %s", it.Name, path), hint, it.Name)
}

// hasFolder reports whether anything lies below path. Folders are items of their own only where they are empty.
func (it *Item) hasFolder(path string) bool {
	return slices.ContainsFunc(it.Items, func(child *Item) bool {
		name := strings.Trim(child.Name, "/")
		if strings.HasPrefix(name, path+"/") || child.layer && child.hasFolder(path) {
			return true
		}
		rest, below := strings.CutPrefix(path, name+"/")
		return below && child.hasFolder(rest)
	})
}

func (it *Item) find(path string) *Item {
	switch {
	case path == "":
		return it
	case it.within != nil:
		return it.within(path)
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
