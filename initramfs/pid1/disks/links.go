package disks

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/machine/blockdev"
)

const linksDir = "/dev/disk/"

func lower(g gpt.GUID) string { return strings.ToLower(g.String()) }

// name makes the links in /dev/disk those of disks and volumes, and tells each of its own. Where two devices ask for a
// name, which happens with clones, the first has it.
func (w *Watcher) name(disks []blockdev.Disk, volumes []blockdev.Volume) {
	wanted, byDevice := map[string]string{}, map[string][]string{}
	for _, f := range w.sorted() {
		for n, d := range f.members {
			names := slices.Clone(f.names[n])
			for i := range volumes {
				if volumes[i].ID == d.name {
					names = append(names, contentNames(&volumes[i])...)
				}
			}
			for _, name := range names {
				link := linksDir + name
				if _, taken := wanted[link]; !taken {
					wanted[link] = "../../" + strings.TrimPrefix(d.node(), "/dev/")
					byDevice[d.name] = append(byDevice[d.name], link)
				}
			}
			slices.Sort(byDevice[d.name])
		}
	}
	for i := range disks {
		disks[i].Symlinks = byDevice[disks[i].Name]
	}
	for i := range volumes {
		volumes[i].Symlinks = byDevice[volumes[i].ID]
	}
	w.link(wanted)
}

// link removes the links that are not wanted any more and makes those that are.
func (w *Watcher) link(wanted map[string]string) {
	var faults []error
	for _, link := range slices.Sorted(maps.Keys(w.links)) {
		if wanted[link] != w.links[link] {
			if err := w.m.Remove(link); err != nil && !errors.Is(err, fs.ErrNotExist) {
				faults = append(faults, err)
			}
			delete(w.links, link)
		}
	}
	for _, link := range slices.Sorted(maps.Keys(wanted)) {
		if w.links[link] == wanted[link] {
			continue
		}
		w.m.Remove(link) // what an init before this one has made
		err := errors.Join(w.m.MkdirAll(path.Dir(link), 0o755), w.m.Symlink(wanted[link], link))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		w.links[link] = wanted[link]
	}
	if err := errors.Join(faults...); err != nil {
		w.log.Warnf("names of disks: %v", err)
	}
}

// contentNames are names of a volume by its content and its place in a partition table.
func contentNames(v *blockdev.Volume) []string {
	var names []string
	add := func(dir, name string) {
		if name = encode(name); name != "" && name != "." && name != ".." {
			names = append(names, dir+"/"+name)
		}
	}
	if !slices.Contains([]string{probe.GPT, probe.MDRAID, probe.LVM2, probe.Bluestore, ""}, v.Name) {
		add("by-uuid", v.UUID)
		add("by-label", v.Label)
	}
	add("by-partuuid", v.PartitionUUID)
	add("by-partlabel", v.PartitionLabel)
	return names
}

// encode is a label as the name of a file: what is not plain is \xNN.
func encode(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case isPlain(r) || r >= 0x80 && r != '\uFFFD':
			b.WriteRune(r)
		default:
			for _, c := range []byte(string(r)) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
	}
	return b.String()
}

func isPlain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("#+-.:=@_", r)
}

// squeeze is a serial number as part of a name: without space around it, and each space within and what is not plain as
// one "_".
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if isPlain(r) || r >= 0x80 && r != '\uFFFD' {
			return r
		}
		return '_'
	}, strings.Join(strings.Fields(s), "_"))
}
