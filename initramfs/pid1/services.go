package pid1

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/container"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// waitNetwork is met when the network has come so far as what, a word of the dependencies of extension services. The files
// in /etc are written, and the host name is set, when the network has been made.
func (b *boot) waitNetwork(what string) services.Condition {
	return services.Condition{Name: "network " + what, Met: func() (bool, <-chan struct{}) {
		now, changed := b.network.status.Watch()
		switch what {
		case "addresses":
			return now.Online, changed
		case "connectivity":
			return now.Online && slices.ContainsFunc(now.Report.Routes, isDefault), changed
		default: // hostname, etcfiles
			return now.Made, changed
		}
	}}
}

func isDefault(r bootreport.Route) bool { return r.To == "0.0.0.0/0" || r.To == "::/0" }

// waitTime is met when the clock is right.
func (b *boot) waitTime() services.Condition {
	return services.Condition{Name: "the time", Met: func() (bool, <-chan struct{}) {
		now, changed := b.clock.status.Watch()
		return now.Synced, changed
	}}
}

// startServices begins with all services. None is waited for.
func (b *boot) startServices() error {
	found, err := container.Find(container.Deps{
		M: b.m, Config: &b.node.Applied, Cgroup: extensionsCgroup, Network: b.waitNetwork, Time: b.waitTime(),
	})
	faults := []error{err}
	hasContainerd, err := b.has(containerd.Program)
	faults = append(faults, err)
	if hasContainerd {
		faults = append(faults, b.prepareCgroups(), b.services.Add(containerd.Service(containerd.Deps{
			M: b.m, Config: &b.node.Applied, Cgroup: cgroupRoot + runtimeCgroup, Log: b.say(), Env: b.serviceEnvironment,
		})))
	}
	for _, f := range found {
		switch {
		case f.Fault != nil:
			faults = append(faults, f.Fault, b.services.Skip(f.Service.Name, f.Fault.Error()))
		case !hasContainerd:
			faults = append(faults, b.services.Skip(f.Service.Name, "the base has no containerd"))
		default:
			faults = append(faults, b.services.Add(f.Service))
		}
	}
	return errors.Join(faults...)
}

func (b *boot) has(file string) (bool, error) {
	f, err := b.m.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// newServices is the runner of the machine's services, which are in the report.
func (b *boot) newServices() *services.Runner {
	return services.New(services.Deps{
		Log:       lateLog{b},
		Output:    b.serviceLog,
		SinceBoot: b.m.SinceBoot,
		Changed: func(all []bootreport.Service) {
			b.change(func(r *bootreport.Report) { r.Services = all })
		},
	}, b.group.Go)
}

// lateLog is the log, when something is said.
type lateLog struct{ b *boot }

func (l lateLog) Infof(format string, args ...any) { l.b.say().Infof(format, args...) }
func (l lateLog) Warnf(format string, args ...any) { l.b.say().Warnf(format, args...) }

// stopServices ends all services, in the reverse of the order in which they depend on each other.
func (b *boot) stopServices() {
	ctx, cancel := context.WithTimeout(context.Background(), servicesGrace)
	defer cancel()
	if err := b.services.Stop(ctx); err != nil {
		b.say().Warnf("%v", err)
	}
}

// servicesGrace is how long all services together have to end.
const servicesGrace = 30 * time.Second

// Control groups: init has one of its own, as one with processes cannot share out what it has.
const (
	cgroupRoot       = "/sys/fs/cgroup"
	initCgroup       = "/init"
	runtimeCgroup    = "/system/runtime"
	extensionsCgroup = "/system/extensions"
)

// prepareCgroups makes the control groups (Linux Documentation/admin-guide/cgroup-v2.rst), with all controllers in each.
func (b *boot) prepareCgroups() error {
	var faults []error
	for _, dir := range []string{initCgroup, runtimeCgroup, extensionsCgroup} {
		faults = append(faults, b.m.MkdirAll(cgroupRoot+dir, 0o755))
	}
	faults = append(faults, b.m.WriteFile(cgroupRoot+initCgroup+"/cgroup.procs", []byte("1"), 0))
	for _, dir := range []string{"", path.Dir(extensionsCgroup), extensionsCgroup} {
		controllers, err := b.m.ReadFile(cgroupRoot + dir + "/cgroup.controllers")
		faults = append(faults, err)
		for _, c := range strings.Fields(string(controllers)) {
			if err := b.m.WriteFile(cgroupRoot+dir+"/cgroup.subtree_control", []byte("+"+c), 0); err != nil {
				faults = append(faults, fmt.Errorf("controller %s: %w", c, err))
			}
		}
	}
	return errors.Join(faults...)
}
