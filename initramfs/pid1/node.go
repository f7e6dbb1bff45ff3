package pid1

import (
	"crypto/x509"
	"errors"

	"github.com/bootwright/bootwright/initramfs/pid1/environment"
	"github.com/bootwright/bootwright/initramfs/pid1/hardware"
	"github.com/bootwright/bootwright/initramfs/pid1/identity"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/node"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
)

// startNode starts the tasks that make the machine what its configuration says. With a configuration that came with the
// image it is so when this returns.
func (b *boot) startNode() error {
	args, err := readArguments(b.m)
	b.node = node.Start(node.Deps{
		M: b.m, Args: args, Modules: b.modules, Log: b.say(), Config: &b.config, Run: b.group.Run, Change: b.report.Change, Look: b.report.Look,
	})
	return errors.Join(err, b.awaitNode())
}

// awaitNode waits until the machine is what its configuration says.
func (b *boot) awaitNode() error { return b.node.Await(b.group.Context()) }

// identify says in /etc what the machine is.
func (b *boot) identify() error {
	id, err := identity.WriteID(b.m, hardware.ID(b.m))
	var version, base string
	b.report.Change(func(r *bootreport.Report) { r.MachineID, version, base = id, r.Version, r.Base })
	return errors.Join(err, identity.WriteRelease(b.m, version, base))
}

// trusted is the authorities that this machine's clients trust.
func (b *boot) trusted() *x509.CertPool {
	pool, _ := b.node.Roots().Get()
	return pool
}

// serviceEnvironment is the environment of the machine's own services by a configuration.
func (b *boot) serviceEnvironment(c *config.Config) []string {
	args, _ := readArguments(b.m)
	return append([]string{kernel.Path}, environment.Of(args, c)...)
}
