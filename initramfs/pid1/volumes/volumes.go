// Package volumes makes a machine's volumes and mounts them, as package machine/volumes plans it: step by step, each decided
// by what is on the disks at the time. After a power cut at any point the next boot goes on; nothing that could hold data is
// overwritten, except what talos.experimental.wipe names.
//
// Tables are written the backup first, then the primary, each flushed before the next, so that one of them is always whole.
// File systems are made by the base's mkfs.xfs. Left out: mounting by anything else than the partition that was planned.
package volumes

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

// Machine is what the volumes need of the kernel.
type Machine interface {
	kernel.Disks
	kernel.Mounts
	kernel.Files
	kernel.Processes
	ReplaceFile(root, name string, data []byte, mode fs.FileMode) error
	Unmount(target string) error
}

// Log is where is said what is done.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Disks are those of the machine, and what is on them.
type Disks interface {
	Refresh(ctx context.Context) error               // looks at all anew
	Look(ctx context.Context, names ...string) error // looks at these, and at those that have come or gone
	Found() ([]blockdev.Disk, []blockdev.Volume)     // is what was found
}

// Deps are what a Runner works with.
type Deps struct {
	M       Machine
	Disks   Disks
	Changed func() <-chan struct{} // the channel is closed when other things are found than now
	Config  *watch.Value[*config.Config]
	Wipe    volumes.Wipe
	// Open opens an encrypted volume, and makes it first where its partition is blank. The keys of one that is open already are
	// looked after. Nil is for a machine that cannot do it.
	Open func(context.Context, Opening) (Opened, error)
	// Load loads the kernel module of a file system before one is mounted: the kernel, which would ask for it, starts a program for
	// that. Nil leaves it to the kernel.
	Load func(filesystem string) error
	Log  Log
	// Report gets what is to be reported when it has changed.
	Report func([]bootreport.VolumeConfig, []bootreport.Volume, []bootreport.Mount)
}

// Status is how the volumes are.
type Status struct {
	Volumes []volumes.Volume  // in the order in which they are made; none before the disks were looked at
	Mounts  map[string]string // where volumes are mounted, by ID
	Meta    meta.Values       // the values of META
	Locked  map[string]bool   // volumes that cannot be opened for now; it is tried again and again
	Trying  bool              // something is being done
	Done    int               // how many steps were done so far, and keys derived
	Slow    bool              // a key is being derived, which has a limit of its own
	Config  *config.Config    // for which the volumes were planned
}

// Volume is the volume of that ID, with an empty phase where there is none.
func (s Status) Volume(id string) volumes.Volume {
	for _, v := range s.Volumes {
		if v.ID == id {
			return v
		}
	}
	return volumes.Volume{}
}

// Settled tells that nothing more will become of the volume unless something happens to the machine, or a new attempt
// succeeds: it is mounted, or Status.Volume says why not.
func (s Status) Settled(id string) bool {
	v := s.Volume(id)
	return s.Mounts[id] != "" || !s.Trying && v.Phase != ""
}

// did counts what is done: who waits for a volume knows that there is progress.
func (r *Runner) did() {
	s, _ := r.status.Get()
	s.Done++
	r.status.Set(s)
}

// Slow runs, for who is called by the Runner, what takes its time and has a limit of its own.
func (r *Runner) Slow(run func() error) error {
	s, _ := r.status.Get()
	s.Slow = true
	r.status.Set(s)
	err := run()
	s, _ = r.status.Get()
	if s.Slow = false; err == nil {
		s.Done++
	}
	r.status.Set(s)
	return err
}

// Runner makes and mounts the volumes.
type Runner struct {
	Deps
	status watch.Value[Status]
	wipe   volumes.Wipe
	stale  []string                        // devices that were changed since they were looked at
	doubt  bool                            // any may have been
	opened map[string]string               // devices inside encrypted volumes, by ID
	locked map[string]bool                 // as in Status
	keys   map[string]*v1alpha1.Encryption // those that were last put into volumes, or could not be
	later  map[string]bool                 // volumes whose keys are to be looked after again
	mounts []bootreport.Mount
	faults map[string]error  // why volumes are not further, by ID
	said   string            // what was reported last
	before map[string]error  // the same at the last pass, until something has been tried again
	warned map[string]string // the last faults that were logged, by ID
	meta   meta.Values       // of META; nil before it was read
}

// New is a Runner that has done nothing.
func New(d Deps) *Runner {
	return &Runner{
		Deps: d, wipe: d.Wipe, opened: map[string]string{}, locked: map[string]bool{}, keys: map[string]*v1alpha1.Encryption{},
		later: map[string]bool{}, faults: map[string]error{}, warned: map[string]string{},
	}
}

// Status is how the volumes are, to be watched.
func (r *Runner) Status() *watch.Value[Status] { return &r.status }

// The waits before what failed is tried once more, if nothing happens before: the first, then twice the last, up to the longest.
const (
	firstAgain   = time.Second
	longestAgain = 10 * time.Second
)

// Run does what is to be done, whenever the disks or the configuration change, until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	again := firstAgain
	for {
		changed := r.Changed()
		_, configured := r.Config.Watch()
		if err := r.pass(ctx); err != nil && ctx.Err() == nil {
			r.doubt = true
			return err
		}
		wait := longestAgain
		if len(r.faults)+len(r.later) > 0 {
			wait, again = again, min(2*again, longestAgain)
		} else {
			again = firstAgain
		}
		if !r.wait(ctx, changed, configured, wait) {
			return nil
		}
	}
}

// wait returns when there may be something to do, after limit where something has failed, and false when ctx ends. As often it
// looks whether what is mounted works.
func (r *Runner) wait(ctx context.Context, changed, configured <-chan struct{}, limit time.Duration) bool {
	for {
		select {
		case <-changed:
			return true
		case <-configured:
			r.doubt = true
			return true
		case <-time.After(limit):
			r.doubt = true
			if len(r.faults)+len(r.later) > 0 {
				r.tryKeys()
				return true
			}
			if !r.mountsWork() {
				return true
			}
		case <-ctx.Done():
			return false
		}
	}
}

// most is how many rounds a pass has. Each does at least one step, and a machine does not need so many.
const most = 200

// pass goes on until nothing more can be done.
func (r *Runner) pass(ctx context.Context) error {
	r.before = maps.Clone(r.faults)
	clear(r.faults)
	for range most {
		plan, m, err := r.plan(ctx)
		if err != nil {
			return err
		}
		r.letGo(m.Volumes)
		r.publish(plan, m.Config, true)
		clear(r.before)
		progress := r.obey(ctx, m, plan)
		if !progress || ctx.Err() != nil {
			r.mountsWork()
			r.publish(plan, m.Config, false)
			return ctx.Err()
		}
	}
	return fmt.Errorf("the disks are not as they were made; %d steps have changed nothing", most)
}

// plan looks at the machine and plans.
func (r *Runner) plan(ctx context.Context) (volumes.Plan, volumes.Machine, error) {
	m := volumes.Machine{Wipe: r.wipe, Opened: map[string]blockdev.Volume{}}
	m.Config, _ = r.Config.Get()
	var err error
	if m.Disks, m.Volumes, err = r.discover(ctx); err != nil {
		return volumes.Plan{}, m, err
	}
	for id, device := range r.opened {
		m.Opened[id] = r.look(ctx, device)
	}
	r.readMeta(ctx, m.Volumes)
	if stored := r.meta[meta.StateEncryption]; stored != nil {
		if m.StateEncryption, err = volumes.DecodeStateEncryption(stored); err != nil {
			r.fault(layout.State, err)
		}
	}
	return volumes.New(m), m, nil
}

// obey does what a plan says, once, and tells whether there may be more to do.
func (r *Runner) obey(ctx context.Context, m volumes.Machine, plan volumes.Plan) (progress bool) {
	failed := false
	r.lookAfterKeys(ctx, m, plan)
	for _, s := range plan.Next {
		if r.faults[faultOf(s)] != nil {
			failed = true
			continue
		}
		r.Log.Infof("%s", describe(s))
		if s.Device != "" {
			r.stale = append(r.stale, strings.TrimPrefix(s.Device, "/dev/"))
		} else {
			r.stale = append(r.stale, s.Disk)
		}
		if err := r.do(ctx, s, plan, m); err != nil {
			r.fault(faultOf(s), err)
			failed = true
			continue
		}
		progress = true
		r.did()
	}
	if plan.Wiping() {
		if !failed {
			r.wipe = volumes.Wipe{}
		}
		return progress
	}
	if len(plan.Volumes) > 0 && plan.SystemDisk != "" { // what is made from now on is not to be wiped
		r.wipe = volumes.Wipe{}
	}
	return r.mount(ctx, m, plan) || progress
}

// faultOf is what a step's failure is kept under.
func faultOf(s volumes.Step) string {
	if s.Volume != "" {
		return s.Volume
	}
	return "/dev/" + s.Disk
}

// fault keeps why a volume is not further until the next pass. One that lasts is logged once.
func (r *Runner) fault(id string, err error) {
	if text := err.Error(); r.warned[id] != text {
		r.warned[id] = text
		r.Log.Warnf("volume %s: %s", id, text)
	}
	r.faults[id] = err
}

func describe(s volumes.Step) string {
	switch s.Action {
	case volumes.Repair:
		return fmt.Sprintf("disk %s: write the partition tables anew", s.Disk)
	case volumes.Create:
		return fmt.Sprintf("volume %s: create partition %d of %s, %s", s.Volume, s.Number, s.Disk, blockdev.Pretty(s.Size))
	case volumes.Grow:
		return fmt.Sprintf("volume %s: grow %s to %s", s.Volume, s.Device, blockdev.Pretty(s.Size))
	case volumes.Make:
		return fmt.Sprintf("volume %s: format %s", s.Volume, s.Device)
	case volumes.Erase, volumes.Clear:
		return fmt.Sprintf("wipe %s of %s, as talos.experimental.wipe asks", orDisk(s.Volume), s.Disk)
	}
	return fmt.Sprintf("volume %s: %s %s", s.Volume, s.Action, s.Device)
}

func orDisk(volume string) string {
	if volume == "" {
		return "all"
	}
	return volume
}

// publish sets the status and reports what has changed.
func (r *Runner) publish(plan volumes.Plan, c *config.Config, trying bool) {
	old, _ := r.status.Get()
	s := Status{Done: old.Done, Volumes: slices.Clone(plan.Volumes), Mounts: map[string]string{}, Meta: r.meta, Locked: maps.Clone(r.locked), Config: c, Trying: trying}
	for _, m := range r.mounts {
		s.Mounts[m.Volume] = m.Target
	}
	for i := range s.Volumes {
		err := r.faults[s.Volumes[i].ID]
		if err == nil && s.Volumes[i].Phase != volumes.Ready {
			err = r.before[s.Volumes[i].ID]
		}
		if err != nil {
			s.Volumes[i].Phase, s.Volumes[i].Reason = volumes.Failed, err.Error()
		}
	}
	r.status.Set(s)
	configs, all := configured(s.Volumes), reported(s.Volumes)
	if text := fmt.Sprint(configs, all, r.mounts); text != r.said {
		r.said = text
		r.Report(configs, all, slices.Clone(r.mounts))
	}
}
