// Package installation installs the system on a machine that was started from an installation medium or over the network, and that has
// none on its disks, as machine.install of its configuration says: from an image by the program in it, or from the medium by the same
// code in this process. docs/install.md has the rules.
//
// What is on the disks decides, never what was done before: a disk on which an installation was cut short has no partition table, and the
// next boot begins anew.
//
// Left out: starting the new system without the firmware (kexec): a TPM would go on holding the measurements of the old one.
package installation

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/services/installerrun"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
)

// Name is what the service is called.
const Name = "install"

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Disks
	kernel.Processes
}

// Deps are what an installation needs.
type Deps struct {
	M       Machine
	Config  *watch.Value[*config.Config] // the machine configuration; nil values are none
	Args    cmdline.Args                 // that the machine was started with
	Arch    string                       // of the machine, as Go names it
	Version string                       // of the system that runs, by which its medium is known
	Epoch   int64                        // the same, seconds since 1970

	// Discover looks at the disks anew.
	Discover      func(ctx context.Context) ([]blockdev.Disk, []blockdev.Volume, error)
	Network, Time services.Condition // that pulling an image waits for; see installerrun.Waits
	Env           func(c *config.Config) []string
	Log           services.Log
	Add           func(services.Service) error
	Report        func(bootreport.Install)
	End           func(kernel.Action) // ends the machine; it may return before
}

// Halts tells whether the machine is not to go on, because there is a system on a disk and the kernel argument
// talos.halt_if_installed says so. Then it has said so.
func (d Deps) Halts(ctx context.Context) (bool, error) {
	if v, _ := d.Args.Get(cmdline.HaltIfInstalled); v != "1" {
		return false, nil
	}
	_, found, err := d.Discover(ctx)
	on := systemDisk(found)
	if err != nil || on == "" {
		return false, err
	}
	d.Log.Warnf("the system is installed on %s already, and this machine was started from something else with the kernel argument %s=1: it halts."+
		" Take the medium away or start from the disk; %s=system loses what is installed", on, cmdline.HaltIfInstalled, cmdline.Wipe)
	d.Report(bootreport.Install{State: bootreport.InstallPresent, Disk: on})
	return true, nil
}

// systemDisk is the disk that has META, or empty.
func systemDisk(found []blockdev.Volume) string {
	for _, v := range found {
		if v.Type == blockdev.TypePartition && v.PartitionLabel == layout.Meta {
			return v.ParentDevPath
		}
	}
	return ""
}

// Follow waits for a configuration that has machine.install, and adds the service that installs, unless there is a system.
func (d Deps) Follow(ctx context.Context) error {
	for {
		c, changed := d.Config.Watch()
		if wanted(c) != nil {
			_, found, err := d.Discover(ctx)
			if err != nil || systemDisk(found) != "" {
				return err
			}
			return d.Add(d.service(c))
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func wanted(c *config.Config) *v1alpha1.Install {
	if c == nil || c.Main() == nil {
		return nil
	}
	return c.Main().Machine.Install
}

// service is the one that installs. c tells whether it takes an image.
func (d Deps) service(c *config.Config) services.Service {
	s := services.Service{Name: Name, Restart: services.UntilSuccess, Console: true, Revision: d.revision, Run: d.run}
	if image := wanted(c).Image; image != "" {
		s.Needs = []string{containerd.Name}
		s.Waits = installerrun.Waits(c.Main().Machine.Registries, image, d.Network, d.Time)
	}
	return s
}

// revision is the digest of what the configuration says of it.
func (d Deps) revision() (string, <-chan struct{}) {
	c, changed := d.Config.Watch()
	w := wanted(c)
	if w == nil {
		return "", changed
	}
	text, _ := json.Marshal([]any{w, c.Main().Machine.Registries}) // plain data
	return fmt.Sprintf("%x", sha256.Sum256(text)), changed
}

// run installs, and ends the machine. It says what it does to out.
func (d Deps) run(ctx context.Context, out io.Writer) error {
	var said bootreport.Install
	err := d.install(ctx, out, &said)
	switch {
	case err != nil && ctx.Err() == nil:
		refused := said.State == bootreport.InstallRefused
		if said.Error = err.Error(); !refused {
			said.State = bootreport.InstallFailed
		}
		if hint := report.HintOf(err); hint != "" {
			said.Error += "; " + hint
		}
		d.Report(said)
		if err = errors.New(said.Error); refused {
			return services.Final(err)
		}
		return err
	case err != nil || said.Disk == "":
		return err
	}
	said.State = bootreport.InstallDone
	d.Report(said)
	fmt.Fprintf(out, "the system is installed on %s; the machine restarts\n", said.Disk)
	d.End(kernel.Restart)
	return nil
}

// install installs as the configuration says now. Without a disk in said there is nothing to do.
func (d Deps) install(ctx context.Context, out io.Writer, said *bootreport.Install) error {
	c, _ := d.Config.Get()
	w := wanted(c)
	if w == nil {
		return nil
	}
	disks, found, err := d.Discover(ctx)
	if err != nil || systemDisk(found) != "" {
		return err
	}
	from, fault := d.findMedium(ctx, disks)
	name := ""
	if from != nil {
		defer from.close()
		name = from.name
	}
	disk, why, err := pick(w, disks, name)
	if err != nil {
		return err
	}
	p, err := newParameters(d.Args, c)
	if err != nil {
		return err
	}
	said.State, said.Disk, said.Chosen, said.From = bootreport.InstallRunning, disk.DevPath, why, w.Image
	switch {
	case w.Image != "":
		d.begin(out, *said)
		err := d.fromImage(ctx, out, c, p, disk)
		if err != nil && installerrun.Hopeless(err) {
			said.State = bootreport.InstallRefused
		}
		return err
	case from != nil:
		said.From = "/dev/" + name
		d.begin(out, *said)
		return d.fromMedium(ctx, out, from, p, disk, said)
	}
	return report.WithHint(errors.Join(report.Errorf(report.Invalid, "there is nothing to install from: no disk holds the medium of this system, %s", d.Version), fault),
		"name an installer image in machine.install.image, or leave the medium in the machine")
}

func (d Deps) begin(out io.Writer, said bootreport.Install) {
	fmt.Fprintf(out, "install to %s (%s) from %s\n", said.Disk, said.Chosen, said.From)
	d.Report(said)
}

// folder has what the program of an image is given.
const folder = "/run/bootwright/install"

func (d Deps) fromImage(ctx context.Context, out io.Writer, c *config.Config, p parameters, disk blockdev.Disk) error {
	file := path.Join(folder, "config.yaml")
	if err := errors.Join(d.M.MkdirAll(folder, 0o700), d.M.WriteFile(file, p.config, 0o600)); err != nil {
		return err
	}
	err := installerrun.Run(ctx, installerrun.Deps{
		M: d.M, Arch: d.Arch, Registries: c.Main().Machine.Registries, Env: d.Env(c), Output: out,
	}, installerrun.Container{Image: wanted(c).Image, Args: p.flags(disk.DevPath, file), Folders: []string{folder}})
	return errors.Join(err, d.M.Remove(file))
}

// lockLimit is how long another program may hold the lock of the disk.
const lockLimit = 10 * time.Second

func (d Deps) fromMedium(ctx context.Context, out io.Writer, m *medium, p parameters, disk blockdev.Disk, said *bootreport.Install) (err error) {
	fmt.Fprintln(out, "verify what is to be installed")
	if err := m.assets.Verify(ctx); err != nil {
		return fmt.Errorf("%s: %w", said.From, err)
	}
	locking, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	opened, err := d.M.OpenDisk(locking, disk.DevPath, kernel.Write)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	plan, err := install.New(device{opened}, m.assets, install.Options{
		SectorSize: int(opened.Geometry().SectorSize), Boot: p.boot, Config: p.config, Meta: p.meta, Zero: p.zero, Force: true, ID: install.RandomIDs(),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", disk.DevPath, err)
	}
	said.Replaced = plan.Before.String()
	fmt.Fprintf(out, "%s holds %s; it gets system %s, which starts by %s\n", disk.DevPath, said.Replaced, plan.ID, plan.Bootloader)
	step := ""
	err = plan.Run(ctx, device{opened}, func(s install.Step, _ int64) {
		if s.Name != step {
			step = s.Name
			fmt.Fprintln(out, step)
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", disk.DevPath, err)
	}
	return nil
}
