package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/bootwright/bootwright/inspect"
	"github.com/bootwright/bootwright/internal/cli"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/internal/vm"
)

// auto is the word of a choice that boot makes by looking into the file.
const auto = "auto"

type bootOptions struct {
	file                      string
	firmware, as, arch, accel string
	memory                    int
	writable                  bool
	until                     string
	timeout                   time.Duration
	qemu                      []string
}

func newBootCommand(a *app) *cobra.Command {
	var opts bootOptions
	cmd := &cobra.Command{
		Use:     "boot FILE [-- QEMU-OPTION...]",
		GroupID: groupLook,
		Short:   "boot an ISO, disk image or UKI in QEMU, with its console on the terminal",
		Long: `boot starts FILE in a virtual machine and shows its serial console. On a terminal every key goes to the machine;
` + vm.EscapeName + ` ends it. A reboot or power-off ends it too. What the machine writes to FILE is thrown away, unless --writable.

KVM runs it where that works, otherwise QEMU's interpreter, TCG, which takes some ten times longer.`,
		Example: "  bootwright boot metal-amd64.iso\n" +
			"  bootwright boot metal-amd64.iso --firmware bios --as usb\n" +
			"  bootwright boot metal-amd64.iso --until 'machine is ready' --timeout 2m\n" +
			"  bootwright boot disk.img -- -netdev user,id=n0 -device virtio-net-pci,netdev=n0",
		Annotations: map[string]string{parseOnly: "needs an ISO"},
		Args: func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				args = args[:dash]
			}
			return cli.Arguments(1, 1, "one FILE")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file, opts.qemu = args[0], args[1:]
			return runBoot(cmd.Context(), a, opts)
		},
	}
	flags := cmd.Flags()
	flags.Var(cli.NewChoice(&opts.firmware, string(vm.UEFI), string(vm.BIOS)), "firmware", "what starts the machine")
	flags.Var(cli.NewChoice(&opts.as, auto, string(vm.CDROM), string(vm.Disk), string(vm.USB)), "as", "what the machine sees FILE as")
	flags.Var(cli.NewChoice(&opts.arch, auto, "amd64", "arm64"), "arch", "architecture of the machine")
	flags.Var(cli.NewChoice(&opts.accel, auto, "kvm", "tcg"), "accel", "what runs the machine")
	flags.IntVar(&opts.memory, "memory", 1024, "memory in MiB")
	flags.BoolVar(&opts.writable, "writable", false, "keep in FILE what the machine writes")
	flags.StringVar(&opts.until, "until", "", "end the machine when it says this; anything else is an error")
	flags.DurationVar(&opts.timeout, "timeout", 0, "give up after this time, such as 90s; 0 for never")
	return cmd
}

// errQuit ends a machine on the person's own wish.
var errQuit = errors.New("the escape key was typed")

func runBoot(ctx context.Context, a *app, opts bootOptions) error {
	o, err := bootMachine(ctx, opts)
	if err != nil {
		return err
	}
	a.say("booting %s (%s, %s)\n", opts.file, o.Arch, o.Firmware)
	res, err := runOnTerminal(ctx, a, o)
	switch {
	case errors.Is(err, errQuit) && o.Until == nil:
		return nil
	case err == nil && o.Until != nil:
		a.say("\nthe machine said %q after %.1f s (%s)\n", opts.until, res.Elapsed.Seconds(), res.Accel)
	}
	return err
}

// runOnTerminal runs the machine with its console on standard output, and on a terminal with the keyboard too.
func runOnTerminal(ctx context.Context, a *app, o vm.Options) (vm.Result, error) {
	ctx, quit := context.WithCancelCause(ctx)
	defer quit(nil)
	o.Serial = a.stdout
	if tty, ok := a.stdin.(*os.File); ok && term.IsTerminal(int(tty.Fd())) {
		a.say("%s ends the machine\n", vm.EscapeName)
		keys, restore, err := vm.Terminal(tty, func() { quit(errQuit) })
		if err != nil {
			return vm.Result{}, err
		}
		defer restore()
		o.Input = keys
	}
	return vm.Run(ctx, o)
}

// say tells the person at the terminal something that is no result.
func (a *app) say(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, format, args...)
	}
}

// bootMachine is the machine that opts describe, with what they leave open taken from the file.
func bootMachine(ctx context.Context, opts bootOptions) (vm.Options, error) {
	if opts.timeout < 0 {
		return vm.Options{}, report.Errorf(report.Invalid, "--timeout %s is in the past", opts.timeout)
	}
	it, err := openAsset(ctx, opts.file, inspect.Options{Unpacked: 1}) // nothing compressed matters here
	if err != nil {
		return vm.Options{}, err
	}
	o := vm.Options{
		Image: opts.file, Writable: opts.writable, MemoryMiB: opts.memory, ExtraArgs: opts.qemu, Timeout: opts.timeout,
		Firmware: vm.Firmware(opts.firmware), As: vm.Medium(opts.as), Arch: opts.arch, Accel: opts.accel,
	}
	if opts.until != "" {
		o.Until = regexp.MustCompile(regexp.QuoteMeta(opts.until))
	}
	if o.Accel == auto {
		o.Accel = ""
	}
	if o.Arch == auto {
		o.Arch = cmp.Or(bootArch(it), "amd64")
	}
	if o.As == auto {
		err = chooseMedium(&o, it)
	}
	return o, err
}

// chooseMedium gives the file to the machine as such files usually meet one; a UKI is for the firmware itself to load.
func chooseMedium(o *vm.Options, it *inspect.Item) error {
	switch it.Type {
	case "iso9660":
		o.As = vm.CDROM
	case "gpt", "fat12", "fat16", "fat32":
		o.As = vm.Disk
		o.SectorSize, _ = strconv.Atoi(it.Facts.Get("sector size"))
	case "qcow2", "vhdx", "vmdk":
		o.As, o.Format = vm.Disk, it.Type
	case "uki":
		o.As, o.Image, o.Kernel = "", "", it.Name
	default:
		err := report.Errorf(report.Unsupported, "%s is nothing that a machine boots from (%s)", it.Name, it.Type)
		return report.WithHint(err, "boot an ISO, a disk image or a UKI, or say with --as what the machine shall see it as")
	}
	return nil
}

// bootArch is the architecture of the first UEFI program in it that is for a machine there is, or "".
func bootArch(it *inspect.Item) string {
	arch := it.Facts.Get("arch")
	if (it.Type == "uki" || it.Type == "pe") && (arch == "amd64" || arch == "arm64") {
		return arch
	}
	for _, child := range it.Items {
		if arch := bootArch(child); arch != "" {
			return arch
		}
	}
	return ""
}
