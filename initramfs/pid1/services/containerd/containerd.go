// Package containerd runs the base's containerd: it makes its configuration of parts, as Talos Linux 1.9 does
// (/etc/cri/conf.d/*.part), with the settings of registries (docs/hosts.md of containerd), and supervises it.
//
// Parts may be in version 2 or 3 of containerd's configuration; what is written is version 2, which containerd 1.3 to 2.x
// read. Settings of version 3 that version 2 lacks (runtime_platforms, image verifiers) are passed on and have no effect in older
// ones. When the configuration comes to something else containerd starts again; containers outlive that.
package containerd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/config"
)

// Name is what the service is called.
const Name = "containerd"

// The programs of the base.
const (
	Program = "/usr/bin/containerd"
	Client  = "/usr/bin/ctr"
)

// Socket is where containerd listens.
const Socket = "/run/containerd/containerd.sock"

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Processes
	kernel.Replacing
}

// Deps are what the service needs.
type Deps struct {
	M      Machine
	Config *watch.Value[*config.Config] // the machine configuration; nil values are none
	Cgroup string                       // a folder of the cgroup file system, which must be there; empty is init's
	Log    services.Log
	Env    func(c *config.Config) []string // its environment by a configuration; nil is a PATH
}

// Service is containerd as a service.
func Service(d Deps) services.Service {
	return services.Service{
		Name:     Name,
		Restart:  services.Always,
		Revision: d.revision,
		Prepare:  d.prepare,
		Run:      d.run,
		Check:    d.check,
	}
}

// trusted are the authorities that containerd trusts, which it reads once.
const trusted = "/etc/ssl/certs/ca-certificates.crt"

// revision is the digest of the configuration, of the environment, and of whom containerd trusts.
func (d Deps) revision() (string, <-chan struct{}) {
	c, changed := d.Config.Watch()
	text, _ := Configure(d.M, c) // prepare complains
	roots, _ := d.M.ReadFile(trusted)
	h := sha256.New()
	for _, p := range [][]byte{text, roots, []byte(strings.Join(d.env(c), "\x00"))} {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return hex.EncodeToString(h.Sum(nil)), changed
}

// prepare writes the configuration, and mends what containerd kept. containerd runs with what can be used of it.
func (d Deps) prepare(context.Context) error {
	if err := d.mendKept(); err != nil {
		d.Log.Warnf("containerd: what it kept: %v", err)
	}
	c, _ := d.Config.Get()
	text, fault := Configure(d.M, c)
	if fault != nil {
		d.Log.Warnf("containerd: configuration: %v", fault)
	}
	if err := d.M.MkdirAll(path.Dir(ConfigPath), 0o755); err != nil {
		return err
	}
	return d.M.WriteFile(ConfigPath, text, 0o600) // it may hold credentials
}

func (d Deps) env(c *config.Config) []string {
	if d.Env == nil {
		return nil
	}
	return d.Env(c)
}

func (d Deps) run(ctx context.Context, output io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	var hosts sync.WaitGroup
	defer hosts.Wait()
	defer cancel()
	hosts.Go(func() { d.followHosts(ctx) })
	c, _ := d.Config.Get()
	p, err := d.M.Start(kernel.Command{
		Env: d.env(c), Path: Program, Args: []string{"--config", ConfigPath}, Cgroup: d.Cgroup, Stdout: output, Stderr: output,
	})
	if err != nil {
		return err
	}
	return kernel.WaitOrEnd(ctx, p)
}

// followHosts keeps the settings of registries as the machine configuration has them: containerd need not start again for
// those.
func (d Deps) followHosts(ctx context.Context) {
	for {
		c, changed := d.Config.Watch()
		if main := mainOf(c); main != nil {
			if err := writeHosts(d.M, main.Machine.Registries); err != nil {
				d.Log.Warnf("containerd: settings of registries: %v", err)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// check asks containerd for something that is in its database: without that it still tells its version.
func (d Deps) check(ctx context.Context) error {
	entries, err := d.M.ReadDir(path.Dir(Socket))
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(Socket) }) {
		return fs.ErrNotExist // not yet: spare the client
	}
	if _, err := kernel.Output(ctx, d.M, kernel.Command{Path: Client, Args: []string{"--connect-timeout", "5s", "namespaces", "list", "--quiet"}}); err != nil {
		return fmt.Errorf("containerd does not answer: %w", err)
	}
	return nil
}
