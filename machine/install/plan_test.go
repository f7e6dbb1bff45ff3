package install

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

func plan(t testing.TB, d Device, a *bootassets.Assets, o Options) *Plan {
	t.Helper()
	o.ID = ids
	p, err := New(d, a, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t testing.TB, d Device, p *Plan) {
	t.Helper()
	if err := p.Run(context.Background(), d, nil); err != nil {
		t.Fatal(err)
	}
}

// sound compares what is on d with what p wanted there, by our readers.
func sound(d Device, a *bootassets.Assets, p *Plan, want meta.Values) error {
	table, err := gpt.Read(d)
	if err != nil {
		return err
	}
	for _, part := range table.Partitions {
		content := blob.Slice(d, part.Start, part.Size)
		switch part.Name {
		case layout.Meta:
			got, damaged, err := meta.Read(content)
			if len(want) == 0 && errors.Is(err, meta.ErrEmpty) {
				continue
			}
			if err != nil || damaged != nil || !maps.EqualFunc(got, want, bytes.Equal) {
				return fmt.Errorf("META: %v, %v, %v", got, damaged, err)
			}
		case layout.EFI, layout.Boot:
			v, err := fat.Read(content)
			if err != nil {
				return err
			}
			if err := bootable(v.Tree, part.Name, a, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// bootable looks for the files that a boot loader reads.
func bootable(t *tree.Tree, label string, a *bootassets.Assets, p *Plan) error {
	uki, err := a.UKI(p.Cmdline)
	if err != nil {
		return err
	}
	want := map[string]blob.Blob{bootentry.UKI(p.ID): uki, bootentry.Removable("amd64"): a.File(bootassets.SDBoot)}
	if label == layout.Boot {
		want = map[string]blob.Blob{bootentry.Folder(p.ID) + "/vmlinuz": a.File(bootassets.Kernel), bootentry.Folder(p.ID) + "/initramfs.img": a.Initramfs()}
	}
	for name, content := range want {
		n := t.Get(name)
		if n == nil {
			return fmt.Errorf("no %s", name)
		}
		if at, err := blob.Equal(context.Background(), n.Open(), content); at >= 0 || err != nil {
			return fmt.Errorf("%s differs at %d, %v", name, at, err)
		}
	}
	return nil
}

// TestInstall installs every way, over rubbish, and has sgdisk and fsck.fat look at it.
func TestInstall(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"sgdisk", "fsck.fat"} {
		oracle.Need(t, tool)
	}
	a := assets(t, "v1")
	for name, o := range map[string]Options{
		"default": {}, "4k": {SectorSize: 4096}, "grub": {Bootloader: layout.GRUB}, "all": {Zero: true, Meta: meta.Values{10: []byte("x")}, Config: []byte("machine: {}\n"), Boot: Boot{
			Platform: "aws", ExtraKernelArgs: []string{"-console", "console=ttyS1", "x=a b"}, ConfigURL: "https://h/c",
		}},
	} {
		d := newDisk(diskSize)
		if o.SectorSize == 4096 {
			d.size = diskSize / 4096 * 4096
		}
		d.apply(write{off: 0, size: 8 << 20, data: bytes.Repeat([]byte{0xff}, 8<<20)})
		d.apply(write{off: d.size - 8<<20, size: 8 << 20, data: bytes.Repeat([]byte{0xff}, 8<<20)})
		o.Force = true
		p := plan(t, d, a, o)
		run(t, d, p)
		if err := sound(d, a, p, o.Meta); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		file := d.file(t, 0, d.size)
		if out := oracle.Run(t, "sgdisk", "-v", file); o.SectorSize == 0 && !strings.Contains(out, "No problems found") {
			t.Errorf("%s: %s", name, out)
		}
		for _, part := range p.Partitions {
			if part.Name == layout.EFI || part.Name == layout.Boot {
				oracle.Run(t, "fsck.fat", "-n", d.file(t, part.Start, part.Size))
			}
		}
		if name == "all" && p.Cmdline != `talos.platform=aws talos.config=https://h/c console=ttyS1 x="a b" panic=10` {
			t.Error(p.Cmdline)
		}
		if f, err := Look(d); err != nil || !f.System {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
}

// TestPowerCut cuts the power behind every request of an installation over an old system, with several fates of what was not synced. The
// disk has the old system, or the new one, or plainly none: nothing that a firmware would start, or the init take for a system.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	old, a := assets(t, "v1"), assets(t, "v2")
	values := meta.Values{10: []byte("network")}
	before := newDisk(diskSize)
	oldPlan := plan(t, before, old, Options{})
	run(t, before, oldPlan)
	for _, blank := range []bool{true, false} {
		start := newDisk(diskSize)
		if !blank {
			start = before.clone()
		}
		d := start.clone()
		p := plan(t, d, a, Options{Meta: values, Force: true})
		run(t, d, p)
		states := map[string]int{}
		for n := range len(d.log) + 1 {
			for seed := range uint64(6) {
				s := after(start, d.log, n, seed)
				state := "none"
				switch {
				case !boots(s):
				case sound(s, a, p, values) == nil:
					state = "new"
				case !blank && sound(s, old, oldPlan, nil) == nil:
					state = "old"
				}
				if err := plain(s); err != nil || boots(s) && state == "none" {
					t.Fatalf("behind %d of %d, seed %d: %v; %v", n, len(d.log), seed, err, sound(s, a, p, values))
				}
				states[state]++
			}
		}
		if states["new"] == 0 || states["none"] == 0 || !blank && states["old"] == 0 {
			t.Errorf("%v", states)
		}
		t.Logf("%d requests, blank %v: %v", len(d.log), blank, states)
	}
}

// boots tells whether a BIOS would start d, and a UEFI or Linux look for partitions.
func boots(d *memDisk) bool {
	mbr, err := gpt.ReadMBR(d, 512)
	return err == nil && mbr.Protective()
}

// plain is an error for a disk on which the init finds a table that no firmware does, or a damaged one.
func plain(d *memDisk) error {
	table, err := gpt.Read(d)
	switch {
	case report.KindOf(err) == report.NotFound:
		return nil
	case err == nil && table.RecoveredFromBackup:
		return errors.New("there is a backup of a table without the table")
	}
	return err
}

func TestInstallRefused(t *testing.T) {
	t.Parallel()
	a := assets(t, "v1")
	used := newDisk(diskSize)
	used.apply(write{off: 1 << 16, size: 1, data: []byte{1}})
	installed := newDisk(diskSize)
	run(t, installed, plan(t, installed, a, Options{}))
	arm := assets(t, "v1")
	for name, c := range map[string]struct {
		d    *memDisk
		o    Options
		want string
	}{
		"in use":    {used, Options{}, "the disk is not empty: something"},
		"installed": {installed, Options{}, "an installed system (EFI, BIOS, BOOT, META)"},
		"small":     {newDisk(1 << 30), Options{}, "is too small"},
		"tiny":      {newDisk(100), Options{}, "no disk for a system"},
		"bios 4k":   {newDisk(diskSize / 4096 * 4096), Options{SectorSize: 4096, Bootloader: layout.GRUB}, "does not start on a BIOS"},
		"argument":  {newDisk(diskSize), Options{Boot: Boot{ExtraKernelArgs: []string{"a b"}}}, "space in its name"},
		"long":      {newDisk(diskSize), Options{Boot: Boot{ExtraKernelArgs: []string{"a=" + strings.Repeat("b", 2100)}}}, "cuts off"},
	} {
		c.o.ID = ids
		if _, err := New(c.d, arm, c.o); report.KindOf(err) == report.Internal || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFailingDisk has a disk that stops taking writes at any point: the error says which step it was.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	a := assets(t, "v1")
	whole := newDisk(diskSize)
	p := plan(t, whole, a, Options{})
	run(t, whole, p)
	for n := 1; n < len(whole.log); n++ {
		d := newDisk(diskSize)
		d.fail = n
		err := p.Run(t.Context(), d, nil)
		if !errors.Is(err, io.ErrShortWrite) {
			t.Fatalf("%d writes: %v", n, err)
		}
	}
}
