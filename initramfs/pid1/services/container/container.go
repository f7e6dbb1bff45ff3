// Package container runs the services of system extensions: containers that /usr/local/etc/containers/*.yaml describe
// (machine/extservice), by the base's containerd and runc. It drives containerd with the base's ctr, in the namespace
// "system", and makes the specification of each container itself (OCI runtime specification 1.0).
//
// A container has all capabilities and devices, the machine's network, and a root file system of its own over which what is
// mounted or written is kept in memory until the machine restarts. Left out: mounts in it that propagate to the machine
// (rootfsPropagation: shared shares with nobody, as the machine's own mounts are private).
package container

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/kinds"
	"github.com/bootwright/bootwright/machine/extservice"
)

// prefix is before the name of an extension's service among the machine's services.
const prefix = "ext-"

// state has a folder for each container, which lasts as long as the machine runs.
const state = "/run/bootwright/containers"

// namespace is containerd's, for what belongs to the machine.
const namespace = "system"

// Machine is what the package needs of it.
type Machine interface {
	kernel.Files
	kernel.Mounts
	kernel.Processes
}

// Deps are what the services need.
type Deps struct {
	M      Machine
	Config *watch.Value[*config.Config] // the machine configuration; nil values are none
	Cgroup string                       // below the root of the cgroup file system, where the containers' are
	// Network is met when the network has come so far: addresses, connectivity, hostname or etcfiles. Time is met when the clock
	// is right.
	Network func(what string) services.Condition
	Time    services.Condition
}

// Found is a service that the root describes, or why it cannot run.
type Found struct {
	Service services.Service // only the name, where there is a fault
	Fault   error
}

// Find reads the descriptions in the root.
func Find(d Deps) ([]Found, error) {
	dir := "/" + extservice.SpecFolder
	entries, err := d.M.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Found
	for _, e := range entries {
		file := e.Name()
		if path.Ext(file) != ".yaml" {
			continue
		}
		text, err := d.M.ReadFile(path.Join(dir, file))
		var spec *extservice.Spec
		if err == nil {
			spec, err = extservice.Parse(file, text)
		}
		if err != nil {
			out = append(out, Found{services.Service{Name: prefix + strings.TrimSuffix(file, ".yaml")}, err})
			continue
		}
		out = append(out, Found{Service: d.service(spec)})
	}
	return out, err
}

// service is the service that spec describes.
func (d Deps) service(spec *extservice.Spec) services.Service {
	c := &container{Deps: d, spec: spec, id: prefix + spec.Name, dir: path.Join(state, spec.Name)}
	s := services.Service{
		Name: c.id, Needs: []string{containerd.Name}, Restart: services.Policy(spec.Restart), Console: spec.LogToConsole,
		Revision: c.revision, Prepare: c.prepare, Run: c.run, Check: c.check,
	}
	for _, dep := range spec.Depends {
		switch {
		case dep.Service == "cri": // what runs pods, where that is another service
		case dep.Service != "":
			s.Needs = append(s.Needs, dep.Service)
		case dep.Path != "":
			s.Waits = append(s.Waits, d.path(dep.Path))
		case dep.Time:
			s.Waits = append(s.Waits, d.Time)
		case dep.Configuration:
			s.Waits = append(s.Waits, services.Condition{Name: "its configuration", Met: c.isConfigured})
		}
		for _, what := range dep.Network {
			s.Waits = append(s.Waits, d.Network(what))
		}
	}
	return s
}

// path is met when there is something called name.
func (d Deps) path(name string) services.Condition {
	return services.Condition{Name: name, Met: func() (bool, <-chan struct{}) {
		entries, _ := d.M.ReadDir(path.Dir(name)) // a device may be slow to open
		return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == path.Base(name) }), nil
	}}
}

// container is one service's container.
type container struct {
	Deps
	spec *extservice.Spec
	id   string // also of the service
	dir  string // below state
}

// config is what the machine configuration has for the service, or nil.
func (c *container) config() (*kinds.ExtensionServiceConfig, <-chan struct{}) {
	all, changed := c.Config.Watch()
	if all == nil {
		return nil, changed
	}
	for _, e := range config.All[*kinds.ExtensionServiceConfig](all) {
		if e.Name == c.spec.Name {
			return e, changed
		}
	}
	return nil, changed
}

func (c *container) isConfigured() (bool, <-chan struct{}) {
	e, changed := c.config()
	return e != nil, changed
}

func (c *container) revision() (string, <-chan struct{}) {
	e, changed := c.config()
	if e == nil {
		return "", changed
	}
	text, _ := json.Marshal(e) // strings only
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), changed
}

// prepare makes the container's folder: its root, the files that it is given, and its specification.
func (c *container) prepare(context.Context) error {
	root := path.Join("/", extservice.RootFolder, c.spec.Name)
	if _, err := c.M.ReadDir(root); err != nil {
		return fmt.Errorf("the container's root file system: %w", err)
	}
	upper, work, target := c.dir+"/upper", c.dir+"/work", c.dir+"/rootfs"
	if err := errors.Join(c.M.MkdirAll(c.dir, 0o700), c.M.MkdirAll(upper, 0o755), c.M.MkdirAll(work, 0o700)); err != nil {
		return err
	}
	// Mount points are made in it even where it is read-only for the container.
	err := c.M.Mount(kernel.Mount{Type: "overlay", Target: target, Data: "lowerdir=" + root + ",upperdir=" + upper + ",workdir=" + work})
	if err != nil {
		return err
	}
	e, _ := c.config()
	files, err := c.writeFiles(e)
	if err != nil {
		return err
	}
	env, err := c.environment(e)
	if err != nil {
		return err
	}
	text, err := json.Marshal(specification(c.spec, target, c.cgroup(), env, files))
	if err != nil {
		return err
	}
	return c.M.WriteFile(c.specFile(), text, 0o600)
}

func (c *container) specFile() string { return c.dir + "/config.json" }

// run runs the container. Its containerd may have died, and containers outlive that: one that is left is ended.
func (c *container) run(ctx context.Context, output io.Writer) error {
	if err := c.remove(ctx); err != nil {
		return fmt.Errorf("%w: %w", services.ErrInterrupted, err)
	}
	p, err := c.M.Start(kernel.Command{
		Path: containerd.Client, Args: []string{"--namespace", namespace, "run", "--rm", "--config", c.specFile(), c.id},
		Stdout: output, Stderr: output,
	})
	if err != nil {
		return err
	}
	err = kernel.WaitOrEnd(ctx, p)
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeLimit)
		defer cancel()
		if fault := c.remove(ctx); fault != nil {
			err = fmt.Errorf("%w: %w", services.ErrInterrupted, fault)
		}
	}
	return err
}

// check is nil when there is a process in the container's control group, besides runc on its way to the entrypoint.
func (c *container) check(context.Context) error {
	pids, err := c.M.ReadFile(path.Join(cgroupRoot, c.cgroup(), "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(pids)) {
		if line, err := c.M.ReadFile("/proc/" + pid + "/cmdline"); err == nil && !strings.HasPrefix(string(line), "runc\x00init") {
			return nil
		}
	}
	return errors.New("no process runs in it")
}

// cgroupRoot is where the file system of control groups is.
const cgroupRoot = "/sys/fs/cgroup"

func (c *container) cgroup() string { return path.Join(c.Cgroup, c.spec.Name) }

// removeLimit is how long containerd has to end a container that does not end itself.
const removeLimit = 10 * time.Second

// remove ends the container, if there is one, and lets containerd forget it.
func (c *container) remove(ctx context.Context) error {
	list, err := c.ctr(ctx, "containers", "list", "--quiet")
	if err != nil || !slices.Contains(strings.Fields(string(list)), c.id) {
		return err
	}
	c.ctr(ctx, "tasks", "kill", "--signal", "SIGKILL", c.id) // it may have none
	c.ctr(ctx, "tasks", "delete", "--force", c.id)
	_, err = c.ctr(ctx, "containers", "delete", c.id)
	return err
}

func (c *container) ctr(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"--namespace", namespace, "--timeout", "10s"}, args...)
	return kernel.Output(ctx, c.M, kernel.Command{Path: containerd.Client, Args: args})
}
