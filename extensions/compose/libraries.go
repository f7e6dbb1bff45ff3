package compose

import (
	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/ldcache"
	"github.com/bootwright/bootwright/formats/tree"
)

// cacheFile is where the dynamic linker looks for libraries by name.
const cacheFile = "etc/ld.so.cache"

// linkerCache adds the dynamic linker's cache of the base's libraries and those of all extensions, if these have some.
func (c *composer) linkerCache(top *tree.Tree) error {
	var roots []*tree.Tree
	for _, l := range c.out.Layers {
		roots = append(roots, l.Tree)
	}
	libraries, err := extensions.Libraries(c.Root, roots...)
	if err != nil || libraries == nil {
		return err
	}
	want := map[string]ldcache.Flags{"amd64": ldcache.AMD64, "arm64": ldcache.ARM64}[c.Arch]
	var entries []ldcache.Entry
	for _, l := range libraries {
		if flags, ok := ldcache.FlagsOf(l.Info.Machine); ok && flags == want {
			entries = append(entries, ldcache.Entry{Name: l.Name, Path: l.Path, Flags: flags})
		}
	}
	content, err := ldcache.Format(entries)
	if err == nil {
		top.File(cacheFile, 0o644, content)
	}
	return err
}
