package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/diskfs/go-diskfs"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

func spec(b layout.Bootloader) Spec {
	var efi, boot tree.Tree
	efi.File("EFI/BOOT/BOOTX64.EFI", 0o644, blob.String("loader"))
	efi.File("EFI/Linux/system.efi", 0o644, blob.Bytes(bytes.Repeat([]byte("kernel"), 1<<20)))
	boot.File("boot/grub/grub.cfg", 0o644, blob.String("menuentry"))
	return Spec{
		Bootloader: b, EFI: &efi, Boot: &boot, BootSector: blob.Bytes(make([]byte, 512)), Core: blob.Bytes(bytes.Repeat([]byte{7}, 30000)),
		Meta: meta.Values{0xa: []byte("network"), 0xc: []byte("hi")}, Epoch: time.Unix(1700000000, 0),
		ID: func(name string) [16]byte { s := sha256.Sum256([]byte(name)); return [16]byte(s[:]) },
	}
}

func formatted(t testing.TB, s Spec) *blob.Image {
	t.Helper()
	im, err := Format(s)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestPartitions: every disk has the partitions of its boot loader, sound to sgdisk and go-diskfs, with sound file systems.
func TestPartitions(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sgdisk", "fsck.fat", "mdir"} {
		oracle.Need(t, tool)
	}
	for _, c := range []struct {
		boot   layout.Bootloader
		sector int
		size   int64
		want   string
	}{
		{layout.SDBoot, 512, 0, "EFI META"},
		{layout.SDBoot, 4096, 0, "EFI META"},
		{layout.GRUB, 512, 0, "BIOS BOOT META"},
		{layout.DualBoot, 512, 8 << 30, "EFI BIOS BOOT META"},
	} {
		s := spec(c.boot)
		s.SectorSize, s.Size = c.sector, c.size
		im := formatted(t, s)
		if c.size != 0 && im.Size() != c.size {
			t.Errorf("%d bytes", im.Size())
		}
		table, err := gpt.Read(im)
		if err != nil {
			t.Fatal(err)
		}
		file := oracle.File(t, im)
		if out := oracle.Run(t, "sgdisk", "-v", file); c.sector == 512 && (!strings.Contains(out, "No problems found") || strings.Contains(out, "Caution")) {
			t.Errorf("%s: %s", c.boot, out)
		}
		d, err := diskfs.Open(file, diskfs.WithSectorSize(diskfs.SectorSize(c.sector)), diskfs.WithOpenMode(diskfs.ReadOnly))
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err := d.GetPartitionTable(); err != nil || len(theirs.GetPartitions()) < len(table.Partitions) {
			t.Errorf("%s: go-diskfs: %v", c.boot, err)
		}
		d.Close()
		var labels []string
		for _, p := range table.Partitions {
			labels = append(labels, p.Name)
			if p.Start%layout.Align != 0 || p.Size%layout.Align != 0 {
				t.Errorf("%s: %s at %d, %d bytes", c.boot, p.Name, p.Start, p.Size)
			}
			if p.Name == layout.EFI || p.Name == layout.Boot {
				volume := oracle.File(t, blob.Slice(im, p.Start, p.Size))
				oracle.Run(t, "fsck.fat", "-n", volume)
				if c.sector == 512 {
					oracle.Run(t, "mdir", "-i", fmt.Sprintf("%s@@%d", file, p.Start), "-/", "::")
				}
			}
			if p.Name == layout.Meta {
				if got, _, err := meta.Read(blob.Slice(im, p.Start, p.Size)); err != nil || !maps.EqualFunc(got, s.Meta, bytes.Equal) {
					t.Errorf("%s: META %v, %v", c.boot, got, err)
				}
			}
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.boot, got, c.want)
		}
	}
}

// TestRoomForUpgrade: what the boot partition holds fits there twice.
func TestRoomForUpgrade(t *testing.T) {
	s := spec(layout.SDBoot)
	im := formatted(t, s)
	table, err := gpt.Read(im)
	if err != nil {
		t.Fatal(err)
	}
	v, err := fat.Read(blob.Slice(im, table.Partitions[0].Start, table.Partitions[0].Size))
	if err != nil {
		t.Fatal(err)
	}
	var content int64
	for _, n := range v.Tree.Nodes() {
		content += n.Size()
	}
	if table.Partitions[0].Size < 2*content {
		t.Errorf("%d bytes for %d", table.Partitions[0].Size, content)
	}
}

// TestGRUB: the numbers that make the boot sector find core.img, and core.img the rest of itself.
func TestGRUB(t *testing.T) {
	im := formatted(t, spec(layout.DualBoot))
	table, err := gpt.Read(im)
	if err != nil {
		t.Fatal(err)
	}
	sector := make([]byte, 512)
	if err := blob.ReadFull(im, sector, 0); err != nil {
		t.Fatal(err)
	}
	bios := table.Partitions[1]
	if lba := int64(binary.LittleEndian.Uint64(sector[0x5c:])); lba*512 != bios.Start || sector[0x64] != 0xff || sector[0x66] != 0x90 {
		t.Errorf("the boot sector loads sector %d; the partition starts at %d", lba, bios.Start)
	}
	if bios.Attributes&gpt.LegacyBootable == 0 {
		t.Error("the BIOS partition is not marked")
	}
	first := make([]byte, 512)
	if err := blob.ReadFull(im, first, bios.Start); err != nil {
		t.Fatal(err)
	}
	if lba, n := binary.LittleEndian.Uint64(first[0x1f4:]), binary.LittleEndian.Uint16(first[0x1fc:]); int64(lba)*512 != bios.Start+512 || n != 58 {
		t.Errorf("core.img loads %d sectors from %d", n, lba)
	}
}

func TestRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Spec)
		kind   report.Kind
		want   string
	}{
		"too small":  {func(s *Spec) { s.Size = 10 << 20 }, report.Invalid, "its partitions take 70254592 (67 MiB)"},
		"odd size":   {func(s *Spec) { s.Size = 1<<30 + 100 }, report.Invalid, "not whole sectors of 512"},
		"4k BIOS":    {func(s *Spec) { s.SectorSize, s.Bootloader = 4096, layout.GRUB }, report.Unsupported, "use boot loader sd-boot"},
		"no core":    {func(s *Spec) { s.Bootloader, s.Core = layout.GRUB, nil }, report.Invalid, "grub's core.img"},
		"big core":   {func(s *Spec) { s.Bootloader, s.Core = layout.GRUB, blob.Zeros(2<<20) }, report.Invalid, "grub's core.img"},
		"big meta":   {func(s *Spec) { s.Meta = meta.Values{1: make([]byte, 1<<19)} }, report.Invalid, "meta: the values take"},
		"no sectors": {func(s *Spec) { s.SectorSize = 1000 }, report.Invalid, ""},
	} {
		s := spec(layout.SDBoot)
		c.change(&s)
		if _, err := Format(s); report.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
