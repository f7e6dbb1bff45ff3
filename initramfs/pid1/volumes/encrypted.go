package volumes

import (
	"bytes"
	"context"
	"fmt"
	"reflect"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

// Opening is an encrypted volume that is to be open.
type Opening struct {
	Device string // of its partition
	Spec   volumes.Spec
	// OpenOnly leaves the keys alone: Spec has those of META, and the machine configuration may want others.
	OpenOnly bool
	// Opens is called when a key of Spec has opened the volume, before others change, which its error prevents; nil is not called.
	Opens func(context.Context) error
}

// Opened is what became of an Opening, also with an error.
type Opened struct {
	Inside  string // the device of what is inside; "" where the volume is locked
	InOrder bool   // the volume has the keys of Spec, and of the machine's none else
	Again   bool   // another attempt may get further
}

// openEncrypted opens the encrypted volume on a device, or makes it, or looks after its keys where it is open.
//
// STATE is opened by what META says before there is a configuration, so META must at every moment name a key that opens it:
// before keys change it gets those of the configuration beside its own, and its own lose their place when all have changed.
func (r *Runner) openEncrypted(ctx context.Context, device string, spec volumes.Spec, m volumes.Machine, plan volumes.Plan) error {
	if r.Open == nil {
		return fmt.Errorf("%s is to be encrypted, and this system cannot do that", spec.ID)
	}
	q := Opening{Device: device, Spec: spec, OpenOnly: m.Config == nil}
	isKept := spec.ID == layout.State && !q.OpenOnly
	if isKept {
		q.Opens = func(ctx context.Context) error { return r.keep(ctx, plan, r.besides(m, spec)) }
	}
	got, err := r.Open(ctx, q)
	delete(r.locked, spec.ID)
	if got.Inside != "" {
		r.opened[spec.ID] = got.Inside
	} else if got.Again {
		r.locked[spec.ID] = true
	}
	if err == nil && isKept && got.InOrder {
		err = r.keep(ctx, plan, stateValues(m, spec))
	}
	if !q.OpenOnly {
		r.keys[spec.ID] = spec.Encryption
		if got.Again || err != nil && report.KindOf(err) != report.Invalid {
			r.later[spec.ID] = true
		}
	}
	return err
}

// lookAfterKeys gives volumes that are open the keys of a configuration that has changed. What goes wrong does no harm to what
// is in them.
func (r *Runner) lookAfterKeys(ctx context.Context, m volumes.Machine, plan volumes.Plan) {
	for _, v := range plan.Volumes {
		if m.Config == nil || v.Encryption == nil || v.Location == "" || r.opened[v.ID] == "" || reflect.DeepEqual(r.keys[v.ID], v.Encryption) {
			continue
		}
		if err := r.openEncrypted(ctx, v.Location, v.Spec, m, plan); err != nil {
			r.Log.Warnf("volume %s: its keys stay as they are: %v", v.ID, err)
		}
	}
}

// tryKeys lets the keys be looked after again that could not be.
func (r *Runner) tryKeys() {
	for id := range r.later {
		delete(r.keys, id)
	}
	clear(r.later)
}

// stateValues are the values of META that say how STATE is opened.
func stateValues(m volumes.Machine, spec volumes.Spec) meta.Values {
	return meta.Values{
		meta.StateEncryption:  volumes.EncodeStateEncryption(spec.Encryption),
		meta.StateAuthorities: volumes.StateAuthorities(m.Config, spec.Encryption),
	}
}

// besides are stateValues with what META has beside them.
func (r *Runner) besides(m volumes.Machine, spec volumes.Spec) meta.Values {
	values := stateValues(m, spec)
	if old := m.StateEncryption; old != nil {
		values[meta.StateEncryption] = volumes.EncodeStateEncryption(volumes.MergeKeys(spec.Encryption, old))
	}
	if old := r.meta[meta.StateAuthorities]; !bytes.Contains(values[meta.StateAuthorities], old) {
		values[meta.StateAuthorities] = append(values[meta.StateAuthorities], old...)
	}
	return values
}

// keep writes values into META, where there is one; empty ones are taken away.
func (r *Runner) keep(ctx context.Context, plan volumes.Plan, values meta.Values) error {
	place := plan.Volume(layout.Meta)
	if place.Phase != volumes.Ready {
		return nil
	}
	if r.meta == nil {
		return report.Errorf(report.Unavailable, "META cannot be read, and has to say how STATE is opened")
	}
	same := true
	for tag, v := range values {
		same = same && bytes.Equal(v, r.meta[tag])
	}
	if same {
		return nil
	}
	all, err := r.changeMeta(ctx, place.Location, func(all meta.Values) bool {
		for tag, v := range values {
			if all[tag] = v; len(v) == 0 {
				delete(all, tag)
			}
		}
		return true
	})
	if err == nil {
		r.meta = all
	}
	return err
}
