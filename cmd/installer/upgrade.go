//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unicode"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
)

type upgradeOptions struct {
	bootOptions
	disk, efi, boot, running string
	meta                     *os.File // that of the disk, where it has one
}

func newUpgradeCommand(a *app) *cobra.Command {
	var opts upgradeOptions
	cmd := &cobra.Command{
		Use:   "upgrade --disk DISK | --efi FOLDER --boot FOLDER",
		Short: "put the system beside the one that is installed; it starts next",
		Long: `upgrade puts the system beside the one that is installed, which stays. The new one starts next and has three tries to say that it is good;
then the old one starts again. The same system with the same kernel arguments changes nothing.`,
		Example:     "  installer upgrade --disk /dev/sda\n  installer upgrade --efi /mnt/efi --extra-kernel-arg -console --extra-kernel-arg console=ttyS1",
		Annotations: map[string]string{cli.ParseOnly: "needs a disk"},
		Args:        cli.Arguments(0, 0, ""),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runUpgrade(cmd.Context(), a, opts) },
	}
	opts.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&opts.config, "config", "", "`URL` where the machine finds its configuration")
	f.StringVar(&opts.disk, "disk", "", "disk with the system, whose partitions are mounted meanwhile")
	f.StringVar(&opts.efi, "efi", "", "where the partition EFI is mounted: a `FOLDER`")
	f.StringVar(&opts.boot, "boot", "", "where the partition BOOT is mounted: a `FOLDER`")
	f.StringVar(&opts.running, "keep", "", "`ID` of the system to keep (default: one that was found good)")
	return cmd
}

func runUpgrade(ctx context.Context, a *app, opts upgradeOptions) (err error) {
	switch {
	case opts.disk == "" && opts.efi == "" && opts.boot == "":
		return report.WithHint(report.Errorf(report.Invalid, "no system to upgrade"), "name its disk with --disk, or where its partitions are mounted with --efi and --boot")
	case opts.disk != "" && opts.efi+opts.boot != "":
		return report.Errorf(report.Invalid, "--disk is in place of --efi and --boot")
	case opts.config != "" && !opts.remote():
		return report.Errorf(report.Invalid, "--config %s is no URL; the machine has its configuration", opts.config)
	}
	p := a.progress()
	assets, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer assets.Close()
	if opts.disk != "" {
		unmount, mountErr := opts.mount()
		defer func() { err = errors.Join(err, unmount()) }()
		if mountErr != nil {
			return mountErr
		}
	}
	var s install.System
	if opts.efi != "" {
		s.EFI = install.Dir(opts.efi)
	}
	if opts.boot != "" {
		s.Boot = install.Dir(opts.boot)
	}
	if opts.meta != nil {
		s.Meta = opts.meta
	}
	step := p.Step("upgrade", 0)
	r, err := s.Upgrade(ctx, assets, opts.bootOptions.boot(), opts.running)
	step.Done(err)
	if err != nil {
		return err
	}
	if a.json {
		return cli.PrintJSON(a.stdout, r)
	}
	said := "starts next"
	if !r.Changed {
		said = "was there already"
	}
	_, err = fmt.Fprintf(a.stdout, "%s %s\nkernel arguments: %s\n", r.ID, said, r.Cmdline)
	return err
}

// mount mounts the boot partitions of the disk, at folders that unmount removes again.
func (o *upgradeOptions) mount() (unmount func() error, err error) {
	var undo []func() error
	unmount = func() error {
		var errs []error
		for _, u := range undo {
			errs = append(errs, u())
		}
		return errors.Join(errs...)
	}
	disk, err := blob.OpenFile(o.disk)
	if err != nil {
		return unmount, err
	}
	table, err := gpt.Read(disk)
	disk.Close()
	if err != nil {
		return unmount, report.Errorf(report.Invalid, "%s: %w", o.disk, err)
	}
	for _, p := range table.Partitions {
		if p.Name == layout.Meta {
			if o.meta, err = os.OpenFile(partitionPath(o.disk, p.Number), os.O_RDWR, 0); err != nil {
				return unmount, err
			}
			undo = append(undo, o.meta.Close)
		}
		at := map[string]*string{layout.EFI: &o.efi, layout.Boot: &o.boot}[p.Name]
		if at == nil {
			continue
		}
		if err := os.MkdirAll(os.TempDir(), 0o777); err != nil { // an installer's image has none
			return unmount, err
		}
		dir, err := os.MkdirTemp("", "installer-")
		if err != nil {
			return unmount, err
		}
		undo = append(undo, func() error { return os.Remove(dir) })
		device := partitionPath(o.disk, p.Number)
		if err := reclaim(device); err != nil && report.KindOf(err) != report.Unsupported {
			return unmount, fmt.Errorf("reclaim %s: %w", device, err)
		}
		if err := unix.Mount(device, dir, "vfat", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return unmount, fmt.Errorf("mount %s: %w", device, err)
		}
		undo = append(undo[:len(undo)-1], func() error { return errors.Join(unix.Unmount(dir, 0), os.Remove(dir)) })
		*at = dir
	}
	if o.efi+o.boot == "" {
		return unmount, report.Errorf(report.Invalid, "%s has neither of the partitions EFI and BOOT", o.disk)
	}
	return unmount, nil
}

// reclaim frees what a power cut during an earlier upgrade has left in use and without a name: it may be what the new system needs.
func reclaim(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_EXCL, 0)
	if errors.Is(err, unix.EBUSY) { // it is mounted
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := blob.OpenFile(device)
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err := fat.Reclaim(volume{v, f}); err != nil {
		return err
	}
	return f.Sync()
}

// volume is one that can be changed.
type volume struct {
	blob.Blob
	io.WriterAt
}

// partitionPath is how Linux calls a partition: /dev/sda1, /dev/nvme0n1p1.
func partitionPath(disk string, number int) string {
	if unicode.IsDigit(rune(disk[len(disk)-1])) {
		disk += "p"
	}
	return disk + strconv.Itoa(number)
}
