//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/blockdev"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// bootOptions are what a machine adds to the kernel arguments.
type bootOptions struct {
	platform   string
	config     string
	kernelArgs []string
}

func (o *bootOptions) bind(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.platform, "platform", "", "platform, in place of the image's")
	f.StringArrayVar(&o.kernelArgs, "extra-kernel-arg", nil, "kernel `ARG` to add; -NAME removes one (repeatable)")
}

// boot are the options as install has them; a configuration that is no file is where the machine finds it (talos.config).
func (o *bootOptions) boot() install.Boot {
	b := install.Boot{Platform: o.platform, ExtraKernelArgs: o.kernelArgs}
	if o.remote() {
		b.ConfigURL = o.config
	}
	return b
}

func (o *bootOptions) remote() bool {
	return strings.Contains(o.config, "://") || o.config == "guestinfo"
}

type installOptions struct {
	bootOptions
	disk, bootloader string
	meta             []string
	sectorSize       int
	zero, force      bool
}

func (o *installOptions) bind(cmd *cobra.Command) {
	o.bootOptions.bind(cmd)
	f := cmd.Flags()
	f.StringVar(&o.disk, "disk", "", "disk to install to, or a `FILE` that stands for one")
	f.StringVar(&o.config, "config", "", "machine configuration: a `FILE`, or the URL where the machine finds it")
	f.StringArrayVar(&o.meta, "meta", nil, "`TAG=VALUE` of the META partition, such as 0xa=... (repeatable)")
	f.StringVar(&o.bootloader, "bootloader", "", "sd-boot, grub or dual-boot (default: what the architecture can start by)")
	f.IntVar(&o.sectorSize, "sector-size", 0, "`BYTES` of a sector, for a file: 512 or 4096")
	f.BoolVar(&o.zero, "zero", false, "clear the whole disk first")
	f.BoolVar(&o.force, "force", false, "overwrite what is on the disk")
}

func newInstallCommand(a *app) *cobra.Command {
	var opts installOptions
	cmd := &cobra.Command{
		Use:         "install --disk DISK",
		Short:       "install onto a disk",
		Example:     "  installer install --disk /dev/sda\n  installer install --disk /dev/vda --config https://10.0.0.1/node.yaml --extra-kernel-arg console=ttyS1 --force",
		Annotations: map[string]string{cli.ParseOnly: "needs a disk"},
		Args:        cli.Arguments(0, 0, ""),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runInstall(cmd.Context(), a, opts, true) },
	}
	opts.bind(cmd)
	return cmd
}

func newPlanCommand(a *app) *cobra.Command {
	var opts installOptions
	cmd := &cobra.Command{
		Use:         "plan --disk DISK",
		Short:       "show what install would do, and do nothing",
		Example:     "  installer plan --disk /dev/sda",
		Annotations: map[string]string{cli.ParseOnly: "needs a disk"},
		Args:        cli.Arguments(0, 0, ""),
		RunE:        func(cmd *cobra.Command, _ []string) error { return runInstall(cmd.Context(), a, opts, false) },
	}
	opts.bind(cmd)
	return cmd
}

func runInstall(ctx context.Context, a *app, opts installOptions, do bool) error {
	if opts.disk == "" {
		return report.WithHint(report.Errorf(report.Invalid, "no disk"), "name one with --disk")
	}
	o, err := opts.options()
	if err != nil {
		return err
	}
	p := a.progress()
	assets, err := a.open(ctx, p)
	if err != nil {
		return err
	}
	defer assets.Close()
	disk, err := blockdev.Open(opts.disk)
	if err != nil {
		return err
	}
	defer disk.Close()
	if disk.Device || o.SectorSize == 0 {
		o.SectorSize = disk.SectorSize
	}
	plan, err := install.New(disk, assets, o)
	if err != nil {
		return report.WithHint(report.Errorf(report.KindOf(err), "%s: %w", opts.disk, err), "%s", report.HintOf(err))
	}
	if err := a.show(opts.disk, plan); err != nil || !do {
		return err
	}
	if err := execute(ctx, p, plan, disk); err != nil {
		return fmt.Errorf("%s: %w", opts.disk, err)
	}
	return disk.Changed()
}

// options are the flags as install has them.
func (o *installOptions) options() (install.Options, error) {
	out := install.Options{
		SectorSize: o.sectorSize, Bootloader: layout.Bootloader(o.bootloader), Boot: o.boot(), Meta: meta.Values{}, Zero: o.zero, Force: o.force, ID: install.RandomIDs(),
	}
	if o.bootloader != "" {
		if _, err := layout.ParseBootloader(o.bootloader); err != nil {
			return out, err
		}
	}
	for _, m := range o.meta {
		key, value, ok := strings.Cut(m, "=")
		tag, err := meta.ParseTag(key)
		if err != nil || !ok {
			return out, report.Errorf(report.Invalid, "--meta %.40q is not TAG=VALUE with a tag from 1 to 255", m)
		}
		out.Meta[tag] = []byte(value)
	}
	if o.config == "" || o.remote() {
		return out, nil
	}
	f, err := os.Open(o.config)
	if err != nil {
		return out, err
	}
	defer f.Close()
	if out.Config, err = io.ReadAll(io.LimitReader(f, maxConfig+1)); err == nil && len(out.Config) > maxConfig {
		err = report.Errorf(report.Invalid, "%s: more than the %d bytes that a machine configuration may have", o.config, maxConfig)
	}
	return out, err
}

// maxConfig bounds a machine configuration, in bytes.
const maxConfig = 4 << 20

// execute runs the plan; one line of progress a step.
func execute(ctx context.Context, p *progress.Progress, plan *install.Plan, dev install.Device) error {
	var step *progress.Step
	name := ""
	err := plan.Run(ctx, dev, func(s install.Step, n int64) {
		if s.Name != name {
			step.Done(nil)
			name, step = s.Name, p.Step(s.Name, s.Size)
		}
		step.Add(n)
	})
	step.Done(err)
	return err
}

// shown is a plan for programs.
type shown struct {
	Disk       string      `json:"disk"`
	Size       int64       `json:"size"` // bytes
	Before     string      `json:"before"`
	ID         string      `json:"id"`
	Cmdline    string      `json:"cmdline"`
	Bootloader string      `json:"bootloader"`
	Partitions []partition `json:"partitions"`
}

type partition struct {
	Label string `json:"label"`
	Start int64  `json:"start"` // bytes
	Size  int64  `json:"size"`
}

// show prints the plan.
func (a *app) show(disk string, p *install.Plan) error {
	s := shown{Disk: disk, Size: p.Size, Before: p.Before.String(), ID: p.ID, Cmdline: p.Cmdline, Bootloader: string(p.Bootloader)}
	for _, part := range p.Partitions {
		s.Partitions = append(s.Partitions, partition{part.Name, part.Start, part.Size})
	}
	if a.json {
		return cli.PrintJSON(a.stdout, s)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\t%s, with %s\n", disk, progress.FormatBytes(s.Size), s.Before)
	for _, part := range s.Partitions {
		fmt.Fprintf(w, "  %s\t%s at %s\n", part.Label, progress.FormatBytes(part.Size), progress.FormatBytes(part.Start))
	}
	fmt.Fprintf(w, "starts by\t%s\nkernel arguments\t%s\n", s.Bootloader, s.Cmdline)
	return w.Flush()
}
