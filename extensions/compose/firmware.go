package compose

import (
	"encoding/binary"
	"path"
	"strings"

	"github.com/bootwright/bootwright/extensions"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
)

const firmwareFolder = "usr/lib/firmware"

// vendor is one maker of x86 processors.
type vendor struct {
	file    string // of the archive, below microcode
	pattern string // of extensions' files, below firmwareFolder
	magic   uint32 // what each of them begins with
}

// vendors are those whose microcode Linux loads early: Intel's updates have header version 1 (SDM volume 3, 10.11.1),
// AMD's containers begin with "DMA" and a NUL (arch/x86/kernel/cpu/microcode/amd.c).
func vendors() []vendor {
	return []vendor{
		{"AuthenticAMD.bin", "amd-ucode/microcode_amd*.bin", 0x00414d44},
		{"GenuineIntel.bin", "intel-ucode/*", 1},
	}
}

func (v vendor) has(p string) bool {
	ok, err := path.Match(path.Join(firmwareFolder, v.pattern), p)
	return ok && err == nil
}

// isMicrocode tells microcode that the first archive takes. It stays in no layer: when there are layers, it is loaded.
func (c *composer) isMicrocode(n *tree.Node) bool {
	if c.Arch != "amd64" || !n.Mode.IsRegular() {
		return false
	}
	for _, v := range vendors() {
		if v.has(n.Path) {
			return true
		}
	}
	return false
}

// microcode joins the files of each vendor in the order of their names, in which the kernel finds any of them.
func (c *composer) microcode() {
	out := &tree.Tree{}
	for _, v := range vendors() {
		var parts []blob.Extent
		for _, n := range c.ucode.Nodes() {
			if !n.Mode.IsRegular() || !v.has(n.Path) {
				continue
			}
			var magic [4]byte
			if err := blob.ReadFull(n.Open(), magic[:], 0); err != nil || binary.LittleEndian.Uint32(magic[:]) != v.magic {
				c.fault(c.owners[n.Path].source, n.Path, "is no microcode for %s; the kernel would not find what comes after it", strings.TrimSuffix(v.file, ".bin"))
			}
			parts = append(parts, blob.Part(n.Name(), n.Open()))
		}
		if parts != nil {
			out.File(path.Join("kernel/x86/microcode", v.file), 0o444, blob.Concat(parts...))
		}
	}
	if out.Len() > 0 {
		c.out.Microcode = out
	}
}

// early collects the firmware that what is built into the kernel says it may ask for. The kernel looks for it compressed
// too, and in the root file system of the moment: first the initramfs, whose /lib is no link.
func (c *composer) early() {
	wanted := c.Modules.BuiltinFirmware()
	if len(wanted) == 0 {
		return
	}
	var layers []*tree.Tree
	for _, l := range c.out.Layers {
		layers = append(layers, l.Tree)
	}
	view, out := extensions.Overlay(layers...), &tree.Tree{}
	for _, n := range view.Nodes() {
		name, ok := strings.CutPrefix(n.Path, firmwareFolder+"/")
		if !ok || n.Mode.IsDir() || !matchesAny(wanted, strings.TrimSuffix(strings.TrimSuffix(name, ".xz"), ".zst")) {
			continue
		}
		if at, err := view.Resolve(n.Path); err == nil && view.Get(at).Mode.IsRegular() {
			out.File(path.Join("lib/firmware", name), 0o444, view.Get(at).Open())
		}
	}
	if out.Len() > 0 {
		c.out.Early = out
	}
}

func matchesAny(patterns []string, name string) bool {
	for _, p := range patterns {
		if ok, err := path.Match(p, name); ok && err == nil {
			return true
		}
	}
	return false
}
