package volumes

import (
	"cmp"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/volumes"
)

// reported is how the volumes are.
func reported(planned []volumes.Volume) (all []bootreport.Volume) {
	for _, v := range planned {
		b := bootreport.Volume{
			ID: v.ID, Phase: string(v.Phase), Location: v.Location, Size: v.Size, Reason: v.Reason, Encrypted: v.Encryption != nil && v.Location != "",
		}
		if v.Size > 0 {
			b.PrettySize = blockdev.Pretty(v.Size)
		}
		for _, d := range v.Verdicts {
			if d.Reason != "" {
				b.Disks = append(b.Disks, bootreport.DiskVerdict(d))
			}
		}
		all = append(all, b)
	}
	return all
}

// configured is how the volumes are to be, by their names.
func configured(planned []volumes.Volume) (all []bootreport.VolumeConfig) {
	for _, v := range planned {
		c := bootreport.VolumeConfig{ID: v.ID, Type: blockdev.TypePartition, Locator: bootreport.Match{Match: v.Locator}, Encryption: encryption(v.Encryption)}
		c.Provisioning.Wave = v.Wave
		if v.Selector != "" {
			c.Provisioning.DiskSelector = &bootreport.Match{Match: v.Selector}
			c.Provisioning.Partition = &bootreport.PartitionSpec{MinSize: v.MinSize, MaxSize: v.MaxSize, Grow: v.Grow, Label: v.Label, TypeUUID: v.Spec.Type.String()}
		}
		if v.Filesystem != "" {
			c.Provisioning.Filesystem = &bootreport.FilesystemSpec{Type: v.Filesystem, Label: v.Label}
		}
		if v.Mount != "" {
			c.Mount = &bootreport.MountTarget{TargetPath: v.Mount}
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b bootreport.VolumeConfig) int { return strings.Compare(a.ID, b.ID) })
	return all
}

func encryption(e *v1alpha1.Encryption) *bootreport.VolumeEncryption {
	if e == nil {
		return nil
	}
	said := &bootreport.VolumeEncryption{Provider: cmp.Or(e.Provider, "luks2")}
	for _, k := range e.Keys {
		said.Keys = append(said.Keys, bootreport.VolumeKey{Slot: k.Slot, Type: k.Kind()})
	}
	return said
}
