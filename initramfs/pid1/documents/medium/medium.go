// Package medium reads files of FAT and ISO 9660 file systems by their labels, without mounting them: a USB stick or a CD that
// somebody has put in, or a seed of NoCloud.
package medium

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Volume is a FAT or ISO 9660 file system on a block device, read without being mounted.
type Volume struct {
	Device string // /dev/sr0
	tree   *tree.Tree
	file   io.Closer
}

// maxVolume bounds the file systems that are looked at, in bytes: those that carry configurations are small.
const maxVolume = 8 << 30

// maxFile bounds a file that is read, in bytes.
const maxFile = 16 << 20

// Open finds the file system with a label, in letters of either case. The error is fs.ErrNotExist where there is none;
// of one that is damaged it says how.
func Open(m kernel.Files, label string) (*Volume, error) {
	entries, err := m.ReadDir("/sys/class/block")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var faults []error
	for _, e := range entries {
		if inMemory(e.Name()) {
			continue
		}
		v, err := openDevice(m, e.Name(), label)
		if v != nil {
			return v, nil
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("/dev/%s: %w", e.Name(), err))
		}
	}
	if faults == nil {
		return nil, fmt.Errorf("no file system is labelled %s: %w", label, fs.ErrNotExist)
	}
	return nil, errors.Join(faults...)
}

func inMemory(device string) bool {
	for _, prefix := range []string{"loop", "ram", "zram", "dm-", "nbd", "fd"} {
		if strings.HasPrefix(device, prefix) {
			return true
		}
	}
	return false
}

// openDevice is the volume on a device if it has the label; nil and no error if it has another or none.
func openDevice(m kernel.Files, name, label string) (*Volume, error) {
	p, err := m.ReadFile(path.Join("/sys/class/block", name, "size"))
	if err != nil {
		return nil, nil // gone again
	}
	sectors, _ := strconv.ParseInt(strings.TrimSpace(string(p)), 10, 64)
	if sectors <= 0 {
		return nil, nil // a drive without a medium
	}
	f, err := m.Open("/dev/" + name)
	if err != nil {
		return nil, nil // a drive without a medium says so only here
	}
	v, err := readVolume(io.NewSectionReader(f, 0, min(sectors*512, maxVolume)), label)
	if v == nil {
		f.Close()
		return nil, err
	}
	v.Device, v.file = "/dev/"+name, f
	return v, nil
}

// readVolume looks at the label before anything else: disks are large and hold other things.
func readVolume(b blob.Blob, label string) (*Volume, error) {
	switch {
	case strings.EqualFold(isoLabel(b), label):
		v, err := iso9660.Read(b)
		if err != nil {
			return nil, err
		}
		return &Volume{tree: v.Tree}, nil
	case strings.EqualFold(fatLabel(b), label):
		v, err := fat.Read(b)
		if err != nil {
			return nil, err
		}
		return &Volume{tree: v.Tree}, nil
	}
	return nil, nil
}

// isoLabel is the volume identifier of the primary volume descriptor (ECMA-119, 8.4.7).
func isoLabel(b blob.Blob) string {
	var d [2048]byte
	if blob.ReadFull(b, d[:], 16*2048) != nil || string(d[:6]) != "\x01CD001" {
		return ""
	}
	return strings.TrimRight(string(d[40:72]), " \x00")
}

// fatLabel is the label in the boot sector: mkfs.fat and Windows write it there and in the root folder.
func fatLabel(b blob.Blob) string {
	var s [512]byte
	if blob.ReadFull(b, s[:], 0) != nil || binary.LittleEndian.Uint16(s[510:]) != 0xaa55 {
		return ""
	}
	label := s[43:54]
	if binary.LittleEndian.Uint16(s[22:]) == 0 { // sectors of a FAT of 12 or 16 bits
		label = s[71:82]
	}
	return strings.TrimRight(string(label), " \x00")
}

// Read is a file of at most maxFile bytes, its name in letters of either case.
func (v *Volume) Read(name string) ([]byte, error) {
	for _, n := range v.tree.Nodes() {
		if strings.EqualFold(n.Path, name) && n.Mode.IsRegular() {
			if n.Content == nil {
				return nil, nil
			}
			return blob.ReadAll(n.Content, maxFile)
		}
	}
	return nil, fmt.Errorf("%s: %s: %w", v.Device, name, fs.ErrNotExist)
}

// Close ends the use of the device.
func (v *Volume) Close() error { return v.file.Close() }
