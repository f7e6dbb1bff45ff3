// Package writecmd is `bootwright write`: it writes an asset onto a disk or into a file that stands for one.
package writecmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/bootwright/bootwright/internal/blockdev"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/progress"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/install"
)

// Env is what the command needs of the program that it is part of.
type Env struct {
	Stdout   io.Writer
	Say      func(format string, args ...any) // tells a person what is no result
	Progress func() *progress.Progress

	Annotations map[string]string // of a command whose examples need a disk
}

type options struct {
	image, target               string
	force, resume, dryRun, json bool
	verify                      bool
}

// New is the command.
func New(e Env) *cobra.Command {
	var opts options
	cmd := &cobra.Command{
		Use:   "write IMAGE DISK|FILE",
		Short: "write a disk image or an ISO onto a disk, and read it back",
		Long: `write writes an image onto a disk, or into a file that stands for one: a raw disk or an ISO, as it is or compressed
(.zst, .gz, .xz, .tar.gz), a qcow2, VHDX, VMDK, OVA or fixed VHD. It says first what is on the disk, and overwrites a disk that holds
something with --force only; a disk that is mounted not at all. What is zero in the image is discarded where the disk can. What was
written is read back.

On a disk that is larger than the image the partition table becomes that of the whole disk: its backup moves to the end.

With --resume a write that was interrupted goes on: what the disk has already is read and left alone.`,
		Example: "  bootwright write metal-amd64.raw.zst /dev/sdb\n" +
			"  bootwright write metal-amd64.iso /dev/sdb --force --json",
		Annotations: e.Annotations,
		Args:        cli.Arguments(2, 2, "an IMAGE and a DISK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.image, opts.target = args[0], args[1]
			return run(cmd.Context(), e, opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.force, "force", false, "overwrite what is on the disk")
	f.BoolVar(&opts.resume, "resume", false, "go on with a write that was interrupted")
	f.BoolVar(&opts.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.BoolVar(&opts.verify, "verify", true, "read back what was written")
	f.BoolVar(&opts.json, "json", false, "print what was done as JSON")
	return cmd
}

// result is what was done, for programs.
type result struct {
	Image  string `json:"image"`
	Target string `json:"target"`
	Size   int64  `json:"size"`   // of the disk in the image, bytes
	Before string `json:"before"` // what the target held
	copied
	Verified bool `json:"verified"`
	Moved    bool `json:"backupMoved,omitempty"` // of the partition table, to the end of a larger disk
}

func run(ctx context.Context, e Env, opts options) error {
	p := e.Progress()
	step := p.Step("look into "+opts.image, 0)
	src, err := openSource(ctx, opts.image, step.Add)
	step.Done(err)
	if err != nil {
		return err
	}
	defer src.file.Close()
	r := result{Image: opts.image, Target: opts.target, Size: src.size}
	disk, err := openTarget(src, opts, &r)
	if err != nil {
		return err
	}
	if disk != nil {
		defer disk.Close()
	}
	inside := ""
	if src.what != "" {
		inside = ", " + src.what
	}
	e.Say("%s: %s%s\n%s: %s\n", opts.image, progress.FormatBytes(src.size), inside, opts.target, r.Before)
	if opts.dryRun {
		return nil
	}
	if err := write(ctx, p, src, disk, opts, &r); err != nil {
		return fmt.Errorf("%s: %w", opts.target, err)
	}
	if opts.json {
		return cli.PrintJSON(e.Stdout, r)
	}
	_, err = fmt.Fprintf(e.Stdout, "%s  %s written, %s zeroed, %s kept\n", opts.target,
		progress.FormatBytes(r.Written), progress.FormatBytes(r.Zeroed), progress.FormatBytes(r.Kept))
	return err
}

// openTarget opens the disk, or makes the file, and finds out what it holds. It is nil for a file that would be made.
func openTarget(src *source, opts options, r *result) (*blockdev.Disk, error) {
	disk, err := blockdev.Open(opts.target)
	if errors.Is(err, fs.ErrNotExist) {
		r.Before = "a new file"
		if opts.dryRun {
			return nil, nil
		}
		return create(opts.target, src.size)
	}
	if err != nil {
		return nil, err
	}
	if err := checkTarget(disk, src, opts, r); err != nil {
		disk.Close()
		return nil, err
	}
	return disk, nil
}

func checkTarget(disk *blockdev.Disk, src *source, opts options, r *result) error {
	mine, err := src.file.Stat()
	if err != nil {
		return err
	}
	theirs, err := disk.Stat()
	if err != nil {
		return err
	}
	switch {
	case os.SameFile(mine, theirs):
		return report.Errorf(report.Invalid, "%s is the image itself", opts.target)
	case disk.Size() < src.size:
		return report.Errorf(report.Invalid, "%s has %d bytes, %d less than the image needs", opts.target, disk.Size(), src.size-disk.Size())
	}
	if disk.Device && src.sector != 0 && src.sector != disk.SectorSize && !opts.force {
		return report.WithHint(report.Errorf(report.Invalid, "%s has sectors of %d bytes, and the partition table of the image is for %d: no machine would find it", opts.target, disk.SectorSize, src.sector),
			"build it with output.imageOptions.diskSectorSize=%d; --force writes it anyway", disk.SectorSize)
	}
	found, err := install.Look(disk)
	if err != nil {
		return report.Errorf(report.KindOf(err), "%s: %w", opts.target, err)
	}
	r.Before = found.String()
	if !found.Empty && !opts.force && !opts.resume && !opts.dryRun {
		return report.WithHint(report.Errorf(report.Invalid, "%s is not empty: it holds %s", opts.target, found), "--force overwrites it")
	}
	return nil
}

func create(path string, size int64) (*blockdev.Disk, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Truncate(size), f.Close()); err != nil {
		return nil, err
	}
	return blockdev.Open(path)
}

func write(ctx context.Context, p *progress.Progress, src *source, disk *blockdev.Disk, opts options, r *result) error {
	in, err := src.open()
	if err != nil {
		return err
	}
	var sums [][32]byte
	step := p.Step("write "+opts.target, src.size)
	r.copied, sums, err = copyTo(ctx, disk, in, opts.resume, step.Add)
	step.Done(err)
	if err != nil {
		return report.WithHint(err, "--resume goes on from here")
	}
	if opts.verify {
		disk.Forget()
		step := p.Step("read back "+opts.target, src.size)
		err := verify(ctx, disk, src.size, sums, step.Add)
		step.Done(err)
		if err != nil {
			return err
		}
		r.Verified = true
	}
	if r.Moved, err = moveTable(ctx, disk, opts.verify); err != nil {
		return err
	}
	return disk.Changed()
}
