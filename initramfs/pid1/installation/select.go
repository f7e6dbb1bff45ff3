package installation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config/cel"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// pick is the disk to install to, and why that one. medium is the name of the disk that the machine was started from, or empty.
func pick(want *v1alpha1.Install, disks []blockdev.Disk, medium string) (d blockdev.Disk, why string, err error) {
	if want.Disk == "" && want.DiskSelector == nil {
		return d, "", refused(disks, medium, "machine.install names neither disk nor diskSelector")
	}
	var matched []string
	for _, candidate := range disks {
		switch {
		case want.DiskSelector == nil && !isCalled(candidate, want.Disk):
			continue
		case want.DiskSelector == nil:
			why := unfit(candidate, medium)
			if why != "" {
				return d, "", refused(disks, medium, "%s, which machine.install.disk names, %s", want.Disk, why)
			}
			return candidate, "machine.install.disk names it", nil
		case unfit(candidate, medium) == "" && selects(want.DiskSelector, candidate):
			if matched = append(matched, candidate.DevPath); len(matched) == 1 {
				d = candidate
			}
		}
	}
	switch {
	case want.DiskSelector == nil:
		return d, "", refused(disks, medium, "there is no disk %s, which machine.install.disk names", want.Disk)
	case len(matched) == 0:
		return d, "", refused(disks, medium, "machine.install.diskSelector selects no disk")
	case len(matched) == 1:
		return d, "machine.install.diskSelector selects it", nil
	}
	return d, "machine.install.diskSelector selects " + strings.Join(matched, ", ") + ", and this is the first", nil
}

// isCalled tells whether one of the names of a disk is name.
func isCalled(d blockdev.Disk, name string) bool {
	return d.DevPath == name || slices.Contains(d.Symlinks, name)
}

// unfit is why a disk cannot be installed to whatever the configuration says; empty where it can.
func unfit(d blockdev.Disk, medium string) string {
	switch {
	case d.Name == medium:
		return "is what the machine was started from"
	case d.CDROM:
		return "is a CD-ROM"
	case d.ReadOnly:
		return "is read-only"
	case d.Size == 0:
		return "has no medium"
	}
	return ""
}

// refused is an error that shows the disks there are.
func refused(disks []blockdev.Disk, medium, format string, args ...any) error {
	var there []string
	for _, d := range disks {
		words := []string{d.DevPath, d.PrettySize, d.Transport, d.Model, d.Serial}
		if why := unfit(d, medium); why != "" {
			words = append(words, "("+why+")")
		}
		there = append(there, strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " "))
	}
	if there == nil {
		there = []string{"no disks"}
	}
	return report.Errorf(report.Invalid, "%s; the machine has %s", fmt.Sprintf(format, args...), strings.Join(there, ", "))
}

// selects tells whether every field of s that is there fits the disk.
func selects(s *v1alpha1.DiskSelector, d blockdev.Disk) bool {
	for _, f := range []struct{ pattern, value string }{
		{s.Name, d.Name}, {s.Model, d.Model}, {s.Serial, d.Serial}, {s.Modalias, d.Modalias}, {s.UUID, d.UUID}, {s.WWID, d.WWID}, {s.BusPath, d.BusPath},
	} {
		if f.pattern != "" && !cel.Glob(f.pattern, f.value) {
			return false
		}
	}
	return fitsSize(s, d.Size) && fitsType(s.Type, d)
}

// about is how much a size that is written without a condition may differ, as a part of it: disks of one name do.
const about = 20

func fitsSize(s *v1alpha1.DiskSelector, have uint64) bool {
	want := uint64(s.Size.Size)
	switch s.Size.Op {
	case "<":
		return have < want
	case "<=":
		return have <= want
	case ">":
		return have > want
	case ">=":
		return have >= want
	case "==":
		return have == want
	}
	return want == 0 || have >= want-want/about && have <= want+want/about
}

func fitsType(kind string, d blockdev.Disk) bool {
	switch kind {
	case "nvme":
		return d.Transport == blockdev.NVMe
	case "sd":
		return d.Transport == blockdev.MMC
	case "hdd":
		return d.Rotational
	case "ssd":
		return !d.Rotational && d.Transport != blockdev.NVMe && d.Transport != blockdev.MMC
	}
	return true
}
