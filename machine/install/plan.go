package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/disk"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// Options are for New; the zero value installs for whatever the architecture can start by.
type Options struct {
	SectorSize int               // of the disk, in bytes: 512 (also 0) or 4096
	Bootloader layout.Bootloader // empty for dual-boot on amd64 and sectors of 512 bytes, sd-boot elsewhere
	Boot       Boot
	Config     []byte      // a machine configuration to put beside what boots; empty for none
	Meta       meta.Values // of the META partition
	Zero       bool        // clear the whole disk first
	Force      bool        // even if the disk holds something

	ID func(name string) [16]byte // identifiers of the disk and its partitions by name, of this very disk
}

// Boot is what a machine adds to the kernel arguments of an installer.
type Boot struct {
	Platform        string   // in place of the installer's; empty for that
	ExtraKernelArgs []string // as cmdline.Customize reads them
	ConfigURL       string   // of talos.config; empty for none
}

// panicAfter makes a kernel that panics start the machine again after so many seconds, so that the boot loader's counting goes on; by itself
// the kernel would stand still. It is added where nothing else is said, and -panic leaves it out.
const panicAfter = "panic=10"

// Cmdline is the kernel command line of what boots. The error is Invalid.
func (b Boot) Cmdline(d *bootassets.Description) (string, error) {
	var words []string
	if b.Platform != "" {
		words = append(words, cmdline.Platform+"="+b.Platform)
	}
	if b.ConfigURL != "" {
		words = append(words, "-"+cmdline.Config, cmdline.Config+"="+b.ConfigURL)
	}
	args, err := cmdline.Customize(cmdline.Parse(d.Cmdline), append(words, b.ExtraKernelArgs...))
	if err != nil {
		return "", report.Errorf(report.Invalid, "kernel arguments: %w", err)
	}
	if _, given := args.Get("panic"); !given && !slices.Contains(b.ExtraKernelArgs, "-panic") {
		args = append(args, cmdline.Parse(panicAfter)...)
	}
	if n := len(args.String()); n > maxCmdline {
		return "", report.Errorf(report.Invalid, "the kernel command line has %d bytes, and the kernel cuts off what is beyond %d", n, maxCmdline)
	}
	return args.String(), nil
}

// maxCmdline is COMMAND_LINE_SIZE of x86 and arm64 without the final NUL, in bytes.
const maxCmdline = 2047

// Plan is what an installation will do to a disk.
type Plan struct {
	ID         string // of what will boot
	Cmdline    string
	Bootloader layout.Bootloader
	Size       int64 // of the disk, in bytes
	SectorSize int
	Before     Found           // on the disk now
	Partitions []gpt.Partition // that will be
	Steps      []Step
}

// New plans the installation of a onto dev. It reads the disk's partition table and what says whether the disk is empty, and writes
// nothing. Errors are Invalid: a disk that is too small, says how much it takes; one that holds something is refused without Force.
func New(dev Device, a *bootassets.Assets, o Options) (*Plan, error) {
	p := &Plan{Bootloader: o.Bootloader, Size: dev.Size(), SectorSize: o.SectorSize}
	if p.SectorSize == 0 {
		p.SectorSize = 512
	}
	if p.Bootloader == "" {
		p.Bootloader = layout.SDBoot
		if a.File(bootassets.GRUBCore) != nil && p.SectorSize == 512 {
			p.Bootloader = layout.DualBoot
		}
	}
	var err error
	if p.Cmdline, err = o.Boot.Cmdline(&a.Description); err != nil {
		return nil, err
	}
	p.ID = a.ID(p.Cmdline)
	if p.Before, err = Look(dev); err != nil {
		return nil, err
	}
	if !p.Before.Empty && !o.Force && !o.Zero {
		return nil, report.WithHint(report.Errorf(report.Invalid, "the disk is not empty: %s", p.Before), "--force overwrites it")
	}
	image, err := p.image(a, o)
	if err != nil {
		return nil, err
	}
	table, err := gpt.Read(image)
	if err != nil {
		return nil, report.Errorf(report.Internal, "the new partition table: %w", err)
	}
	p.Partitions = table.Partitions
	p.plan(image, o.Zero)
	return p, p.checkRoom()
}

// checkRoom wants room for the partitions that the machine makes at its first boot.
func (p *Plan) checkRoom() error {
	need := p.end() + layout.StateSize + layout.EphemeralMinSize + layout.MiB
	if p.Size < need {
		return report.Errorf(report.Invalid, "a disk of %d bytes is too small: with what the machine makes on it, it takes %d (%d MiB)", p.Size, need, need/layout.MiB)
	}
	return nil
}

// end is where the partitions of the plan end.
func (p *Plan) end() int64 {
	end := int64(layout.Align)
	for _, part := range p.Partitions {
		end = max(end, part.End())
	}
	return end
}

// image is the disk as it will be.
func (p *Plan) image(a *bootassets.Assets, o Options) (*blob.Image, error) {
	s := disk.Spec{
		Bootloader: p.Bootloader, SectorSize: p.SectorSize, Size: p.Size,
		BootSector: a.File(bootassets.GRUBBoot), Core: a.File(bootassets.GRUBCore),
		Meta: o.Meta, Epoch: a.Time(), ID: o.ID,
	}
	config, err := configuration(o.Config)
	if err != nil {
		return nil, err
	}
	if s.EFI, err = p.efi(a, config); err != nil {
		return nil, err
	}
	if s.Boot, err = p.boot(a, config); err != nil {
		return nil, err
	}
	im, err := disk.Format(s)
	if err != nil {
		return nil, report.Errorf(report.KindOf(err), "%v", err) // without a hint that is for profiles
	}
	return im, nil
}

// configuration is the area that holds a machine configuration for whatever machine it is; nil for none.
func configuration(text []byte) (blob.Blob, error) {
	if len(text) == 0 {
		return nil, nil
	}
	entries := []configarea.Entry{{Match: configarea.Default, Config: text}}
	area, err := configarea.Encode(entries, blob.Align(configarea.Size(entries), configarea.Unit))
	return blob.Bytes(area), err
}

// efi is what the EFI system partition will hold.
func (p *Plan) efi(a *bootassets.Assets, config blob.Blob) (*tree.Tree, error) {
	uki, err := a.UKI(p.Cmdline)
	if err != nil {
		return nil, err
	}
	var t tree.Tree
	t.File(bootentry.Removable(a.Arch), 0o644, a.File(bootassets.SDBoot))
	t.File(bootentry.UKI(p.ID), 0o644, uki)
	if config != nil {
		t.File(bootentry.Credentials(bootentry.UKI(p.ID)), 0o644, config)
	}
	t.File(bootentry.LoaderConf, 0o644, blob.String(bootentry.Loader(p.ID)))
	return &t, nil
}

// boot is what GRUB will read.
func (p *Plan) boot(a *bootassets.Assets, config blob.Blob) (*tree.Tree, error) {
	e := bootentry.Menu(p.ID, a.Version, p.Cmdline, config != nil)
	var t tree.Tree
	t.File(e.Kernel, 0o644, a.File(bootassets.Kernel))
	t.File(e.Initrds[0], 0o644, a.Initramfs())
	if config != nil {
		var inner tree.Tree
		inner.File(configarea.Path, 0o400, config)
		archive, err := cpio.Format(&inner, cpio.Options{Epoch: a.Time()})
		if err != nil {
			return nil, err
		}
		t.File(e.Initrds[1], 0o644, archive)
	}
	t.File(bootentry.GRUBConfig, 0o644, blob.String(grub.NewMenu(e).String()))
	return &t, nil
}

// plan orders the writes. The old disk is there until its boot sector goes, and the new one from the moment at which it has one: each is one
// sector. A BIOS takes a boot sector for a system, and the init a header or a backup for a table, so none is there without the rest.
func (p *Plan) plan(image *blob.Image, zero bool) {
	sector, tail := int64(p.SectorSize), p.Size-layout.MiB
	add := func(name string, from, to int64, image blob.Blob) {
		p.Steps = append(p.Steps, Step{name, from, to - from, image})
	}
	add("clear the old backup", tail, p.Size, nil)
	add("clear the old boot sector", 0, sector, nil)
	add("clear the old header", sector, 2*sector, nil)
	add("clear the old table", 0, layout.Align, nil)
	if zero {
		add("clear the disk", layout.Align, tail, nil)
	}
	for _, part := range p.Partitions {
		add("write "+part.Name, part.Start, part.End(), image)
	}
	add("write the table's entries", 2*sector, layout.Align, image)
	add("write the table's header", sector, 2*sector, image)
	add("write the boot sector", 0, sector, image)
	add("write the backup of the table", tail, p.Size, image)
}

// Run does what the plan says. Progress is told of the bytes of each step and may be nil.
func (p *Plan) Run(ctx context.Context, dev Device, progress func(step Step, bytes int64)) error {
	for _, s := range p.Steps {
		told := func(n int64) {
			if progress != nil {
				progress(s, n)
			}
		}
		if err := s.run(ctx, dev, told); err != nil {
			return fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return nil
}

// Found is what a disk holds.
type Found struct {
	Empty  bool     // neither a table nor anything else where tables and file systems begin
	Labels []string // of partitions
	System bool     // one of them is META
}

// String is for people.
func (f Found) String() string {
	switch {
	case f.Empty:
		return "nothing"
	case f.System:
		return "an installed system (" + strings.Join(f.Labels, ", ") + ")"
	case len(f.Labels) > 0:
		return "partitions " + strings.Join(f.Labels, ", ")
	}
	return "something without a partition table that is known here"
}

// Look finds out what dev holds. An unreadable table is something, and no error.
func Look(dev Device) (Found, error) {
	f := Found{Empty: true}
	if dev.Size() < 2*layout.MiB {
		return f, report.Errorf(report.Invalid, "a disk of %d bytes is no disk for a system", dev.Size())
	}
	if table, err := gpt.Read(dev); err == nil {
		f.Empty = false
		for _, p := range table.Partitions {
			f.Labels = append(f.Labels, p.Name)
			f.System = f.System || p.Name == layout.Meta
		}
		return f, nil
	}
	buf := make([]byte, layout.MiB)
	for _, at := range []int64{0, dev.Size() - layout.MiB} {
		if err := blob.ReadFull(dev, buf, at); err != nil {
			return f, err
		}
		f.Empty = f.Empty && strings.Trim(string(buf), "\x00") == ""
	}
	return f, nil
}
