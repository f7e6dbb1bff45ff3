package volumes

import (
	"slices"
	"strings"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/layout"
)

// Wipe is what is to be lost, once, before anything is made. The zero value is nothing.
type Wipe struct {
	System bool     // the whole system disk
	Labels []string // of volumes: META, STATE, EPHEMERAL
}

// ParseWipe reads the kernel argument talos.experimental.wipe: "system", or "system:LABEL,LABEL". Anything else is Invalid,
// and nothing is wiped.
func ParseWipe(argument string) (Wipe, error) {
	if argument == "" {
		return Wipe{}, nil
	}
	what, labels, some := strings.Cut(argument, ":")
	if what != "system" || some && labels == "" {
		return Wipe{}, report.Errorf(report.Invalid, "talos.experimental.wipe=%.80s: give system, or system:EPHEMERAL,STATE; nothing is wiped", argument)
	}
	if !some {
		return Wipe{System: true}, nil
	}
	w := Wipe{Labels: strings.Split(labels, ",")}
	for _, l := range w.Labels {
		if l != layout.State && l != layout.Ephemeral && l != layout.Meta {
			return Wipe{}, report.Errorf(report.Invalid, "talos.experimental.wipe: %.40q cannot be wiped, only STATE, EPHEMERAL and META; nothing is wiped", l)
		}
	}
	return w, nil
}

// Wiping tells that the steps of the plan lose what Machine.Wipe says, and that nothing else is planned. When all of them are
// done the wipe has been obeyed.
func (p *Plan) Wiping() bool {
	return slices.ContainsFunc(p.Next, func(s Step) bool { return s.Action == Erase || s.Action == Clear })
}

// wipe plans what is to be lost.
func (p *planner) wipe(specs []Spec) {
	if p.Wipe.System && p.system != "" {
		p.plan.Next = append(p.plan.Next, Step{Action: Clear, Disk: p.system})
	}
	for _, s := range specs {
		if !slices.Contains(p.Wipe.Labels, s.ID) || p.system == "" {
			continue
		}
		s.Locator = labelled(s.Label) // whatever is in it
		part, err := p.located(s)
		if err != nil || part == nil || s.ID == layout.Meta && part.Name == "" && part.Blank {
			continue
		}
		step := Step{Action: Erase, Volume: s.ID, Disk: part.Parent, Device: part.DevPath, Number: int(part.PartitionIndex), Start: part.Offset, Size: part.Size}
		if s.ID == layout.Meta {
			step.Action = Clear
		}
		p.plan.Next = append(p.plan.Next, step)
	}
}
