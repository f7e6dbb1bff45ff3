// Package vm starts a built asset in QEMU and watches its serial console: for `bootwright boot` and for the boot tests.
//
// One machine is one process in its own process group, killed when the context ends, when the awaited text is seen or
// when this process dies. UEFI variables are a fresh private copy for every start, because OVMF puts a boot device that
// it has not seen before behind its shell and would hang there.
//
// Left out: networks (give them as ExtraArgs), Secure Boot, TPM, more than one disk.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

// Medium is what the machine sees the image as.
type Medium string

// The media. A CD-ROM is on virtio-scsi and a disk on virtio-blk, because these are what both firmwares, both
// architectures and Debian's cloud kernel know; a USB stick is usb-storage on xHCI.
const (
	CDROM Medium = "cdrom"
	Disk  Medium = "disk"
	USB   Medium = "usb"
)

// Firmware is what starts the machine.
type Firmware string

// The firmwares: OVMF or AAVMF, and SeaBIOS.
const (
	UEFI Firmware = "uefi"
	BIOS Firmware = "bios"
)

// Options describe one machine and how long it is watched. Image or Kernel must be set; everything else may be zero.
type Options struct {
	Image      string // image file to boot from
	Format     string // of Image, as QEMU calls it: raw (also empty), qcow2, vhdx, vmdk, vpc
	As         Medium // zero is Disk
	SectorSize int    // of Image as a disk, in bytes; zero is 512
	Writable   bool   // what the machine writes reaches Image; otherwise it is thrown away
	WriteLog   string // with Writable and raw: a file, longer than all that is written, that gets each write for crashlog

	Kernel string // boots this kernel without a boot loader
	Initrd string // with Kernel
	Append string // kernel command line, with Kernel

	Firmware  Firmware // zero is UEFI, or none with Kernel
	Arch      string   // "amd64" or "arm64"; zero is amd64
	Accel     string   // "kvm" or "tcg"; zero is KVM where it works, else TCG
	MemoryMiB int      // zero is 1024
	ExtraArgs []string // appended to QEMU's command line

	Reboots bool // a restart of the machine is one; otherwise it ends the run

	Serial  io.Writer      // gets the serial console as it comes; nil drops it
	Input   io.Reader      // typed on the serial console; nil types nothing. Run does not wait for a pending Read
	Until   *regexp.Regexp // ends the run when a line of the console, or its beginning so far, matches
	Timeout time.Duration  // zero is none
}

// Result is what a run came to.
type Result struct {
	Match   string        // what Until matched; "" if it did not
	Elapsed time.Duration // from the start of QEMU to the match, or to its end
	CPU     time.Duration // that QEMU took of this computer's processors: unlike Elapsed, the same on a busy one
	Accel   string        // "kvm" or "tcg"
	Command []string      // QEMU's command line
}

// Why a run was ended: it went well, it took too long, nobody takes its console any more.
var (
	errMatched = errors.New("matched")
	errTimeout = errors.New("timeout")
	errSerial  = errors.New("write the serial console")
)

// Run starts the machine and returns when Until matches (then it is killed), when it stops by itself, when Timeout is
// over or when ctx ends. With Until, anything but a match is an error. Without Reboots a reboot ends the machine as a power-off
// does; a kernel panic with panic=-1 looks the same, so only Until can tell success.
//
// Errors are NotFound for a missing file, QEMU or firmware (with the package to install as hint), Invalid or
// Unsupported for options that make no machine, Negative when Until did not match, Unavailable when QEMU failed, and
// Canceled when ctx or, without Until, Timeout ended the run.
func Run(ctx context.Context, o Options) (Result, error) {
	dir, err := os.MkdirTemp("", "bootwright-vm-")
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(dir)
	m, err := plan(o, thisHost())
	if err != nil {
		return Result{}, err
	}
	vars := filepath.Join(dir, "vars.fd")
	if m.vars != "" {
		if err := copyFile(m.vars, vars); err != nil {
			return Result{}, fmt.Errorf("copy the firmware's variables: %w", err)
		}
	}
	res := Result{Accel: m.accel, Command: append([]string{m.qemu}, m.args(vars)...)}
	return watch(ctx, o, res)
}

// watch starts res.Command and stays with it to the end.
func watch(ctx context.Context, o Options, res Result) (Result, error) {
	// The kernel ties the child's death signal to the thread that started it, so this one must not end before Wait.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	run, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	if o.Timeout > 0 {
		var done context.CancelFunc
		run, done = context.WithTimeoutCause(run, o.Timeout, errTimeout)
		defer done()
	}

	out := &console{out: o.Serial, until: o.Until, start: time.Now(), stop: stop}
	complaints := &tail{max: 4 << 10}
	cmd := exec.CommandContext(run, res.Command[0], res.Command[1:]...)
	cmd.Stdout, cmd.Stderr = out, complaints
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second
	err := startWith(cmd, o.Input)
	if err == nil {
		err = cmd.Wait()
	}
	if s := cmd.ProcessState; s != nil {
		res.CPU = s.UserTime() + s.SystemTime()
	}
	if context.Cause(run) == errMatched {
		res.Match, res.Elapsed = out.result()
		return res, nil
	}
	res.Elapsed = time.Since(out.start)
	return res, verdict(ctx, run, o, err, complaints.String())
}

// startWith starts cmd and types input on its standard input, for as long as it runs.
func startWith(cmd *exec.Cmd, input io.Reader) error {
	if input == nil {
		return cmd.Start()
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		io.Copy(stdin, input)
		stdin.Close()
	}()
	return nil
}

// verdict is the error of a run that Until did not end.
func verdict(ctx, run context.Context, o Options, err error, complaints string) error {
	switch {
	case ctx.Err() != nil:
		return report.Errorf(report.Canceled, "the machine was stopped: %w", context.Cause(ctx))
	case context.Cause(run) == errTimeout && o.Until != nil:
		return report.Errorf(report.Negative, "the machine did not say %q within %s", o.Until, o.Timeout)
	case context.Cause(run) == errTimeout:
		return report.Errorf(report.Canceled, "the machine was still running after %s", o.Timeout)
	case errors.Is(context.Cause(run), errSerial):
		return context.Cause(run)
	case err != nil && complaints != "":
		return report.Errorf(report.Unavailable, "QEMU failed: %w: %s", err, complaints)
	case err != nil:
		return report.Errorf(report.Unavailable, "QEMU failed: %w", err)
	case o.Until != nil:
		return report.Errorf(report.Negative, "the machine stopped before it said %q", o.Until)
	}
	return nil
}

// copyFile copies a firmware's variables, so that no two starts share them.
func copyFile(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(dst, src); err != nil {
		dst.Close()
		return err
	}
	return dst.Close()
}
