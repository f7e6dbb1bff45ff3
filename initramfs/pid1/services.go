package pid1

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/cgroups"
	"github.com/bootwright/bootwright/initramfs/pid1/services/container"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// waitNetwork is met when the network has reached what.
func (b *boot) waitNetwork(what string) services.Condition {
	return services.Condition{Name: "network " + what, Met: func() (bool, <-chan struct{}) {
		now, changed := b.network.status.Watch()
		return now.Reached(what), changed
	}}
}

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
		M: b.m, Config: &b.node.Applied, Cgroup: cgroups.Extensions, Network: b.waitNetwork, Time: b.waitTime(),
	})
	faults := []error{err}
	hasContainerd, err := b.has(containerd.Program)
	faults = append(faults, err)
	if hasContainerd {
		faults = append(faults, cgroups.Prepare(b.m), b.services.Add(containerd.Service(containerd.Deps{
			M: b.m, Config: &b.node.Applied, Cgroup: cgroups.Root + cgroups.Runtime, Log: b.say(), Env: b.serviceEnvironment,
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
			b.report.Change(func(r *bootreport.Report) { r.Services = all })
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
