package pid1

import (
	"errors"
	"runtime"

	"github.com/bootwright/bootwright/initramfs/pid1/installation"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// startInstallation installs, once a configuration says so, where no disk has a system. It halts the machine that is not to go on
// because one has.
func (b *boot) startInstallation() error {
	args, err := readArguments(b.m)
	d := installation.Deps{
		M: b.m, Config: &b.config, Args: args, Arch: runtime.GOARCH, Discover: b.discover, Network: b.waitNetwork("addresses"), Time: b.waitTime(),
		Env: b.serviceEnvironment, Log: b.say(), Add: b.services.Add,
		Report: func(i bootreport.Install) { b.report.Change(func(r *bootreport.Report) { r.Install = &i }) },
		End:    func(a kernel.Action) { b.group.Go("installed", func() { b.shutdown(a) }) },
	}
	b.report.Look(func(r *bootreport.Report) { d.Version, d.Epoch = r.Version, r.Epoch })
	halts, fault := d.Halts(b.group.Context())
	if halts {
		b.shutdown(kernel.Halt)
		return nil
	}
	b.group.Run("install", d.Follow)
	return errors.Join(err, fault)
}
