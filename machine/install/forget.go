package install

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/configarea"
)

// Copies are the files beside the systems that hold machine configurations, by partition.
type Copies struct{ EFI, Boot []string }

// None reports whether there are none.
func (c Copies) None() bool { return len(c.EFI)+len(c.Boot) == 0 }

// Copies finds the machine configurations that lie, in clear, beside the systems. Files that nobody can read are left out.
func (s System) Copies() (c Copies, err error) {
	if s.EFI != nil {
		files, err := s.EFI.List(bootentry.Linux)
		if err != nil {
			return c, err
		}
		for _, f := range files {
			if uki, ok := strings.CutSuffix(f.Name, bootentry.Extra); ok {
				c.EFI = append(c.EFI, bootentry.Credentials(path.Join(bootentry.Linux, uki)))
			}
		}
		if c.EFI, err = holding(s.EFI, c.EFI); err != nil {
			return c, err
		}
	}
	if s.Boot != nil {
		menu, _, err := s.menu()
		if err != nil {
			return c, err
		}
		for i := range menu.Len() {
			if initrds := menu.Initrds(i); len(initrds) > 1 { // a menu that somebody has written may have none
				c.Boot = append(c.Boot, initrds[1:]...)
			}
		}
		if c.Boot, err = holding(s.Boot, c.Boot); err != nil {
			return c, err
		}
	}
	return c, nil
}

// holding are those of the files that have an area with something in it.
func holding(f Folder, names []string) (out []string, err error) {
	for _, name := range names {
		_, area, err := areaOf(f, name)
		if err != nil {
			return nil, err
		}
		// A rewrite that was cut off may have nothing to say and still hold what was there, so the bytes count.
		empty, wrong := configarea.Encode(nil, int64(len(area)))
		if area != nil && wrong == nil && !bytes.Equal(area, empty) && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// areaOf is the area in a file, which is that area or an archive with it, and where it begins; nil where there is none.
func areaOf(f Folder, name string) (at int64, area []byte, err error) {
	text, err := f.Read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil
	}
	if err != nil || path.Ext(name) != ".img" {
		return 0, text, err
	}
	archive := blob.Bytes(text)
	t, _, err := cpio.Read(archive)
	if err != nil {
		return 0, nil, nil // the kernel finds no configuration in it either
	}
	node := t.Get(configarea.Path)
	if node == nil {
		return 0, nil, nil
	}
	content := node.Open()
	at, ok := blob.Offset(archive, content)
	if !ok {
		return 0, nil, nil
	}
	return at, text[at : at+content.Size()], nil
}

// Forget writes over the configurations in the files, where they lie: what is removed is still on the disk. Whoever calls it has them elsewhere. A
// power cut leaves each as it was, or empty, or what the next Copies finds again.
func (s System) Forget(ctx context.Context, c Copies) error {
	for _, p := range []struct {
		f     Folder
		names []string
	}{{s.EFI, c.EFI}, {s.Boot, c.Boot}} {
		for _, name := range p.names {
			at, area, err := areaOf(p.f, name)
			if err != nil {
				return err
			}
			writes, err := configarea.Rewrite(area, nil)
			if err != nil {
				return err
			}
			for _, w := range writes {
				if err := errors.Join(ctx.Err(), p.f.Overwrite(name, at+w.Offset, w.Data)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
