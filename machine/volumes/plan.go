package volumes

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/layout"
)

// planner is a plan in the making.
type planner struct {
	Machine
	system  string            // the system disk
	noDisk  string            // why there is no system disk
	cloned  bool              // because two disks claim to be it
	claimed map[string]string // which volume has a partition, by the partition's name
	changed map[string]bool   // disks that a step is to change: their tables are not what they will be
	plan    Plan
}

// New is the plan for m.
func New(m Machine) Plan {
	p := &planner{Machine: m, claimed: map[string]string{}, changed: map[string]bool{}}
	p.findSystemDisk()
	p.plan.SystemDisk = p.system
	specs := Specs(m)
	if p.wipe(specs); len(p.plan.Next) > 0 {
		return p.plan
	}
	for _, s := range specs { // before anything is made, so that no partition is taken for a second volume
		p.located(s)
	}
	p.repair()
	for _, s := range specs {
		p.plan.Volumes = append(p.plan.Volumes, p.decide(s))
	}
	return p.plan
}

// unready is a volume of an earlier wave that is wanted and not ready.
func (p *planner) unready(wave int) string {
	for _, v := range p.plan.Volumes {
		if v.Wave < wave && v.Phase != Ready && (v.Phase != Missing || v.Selector != "") {
			return v.ID
		}
	}
	return ""
}

// findSystemDisk is the parent of META. Of two, none can be trusted: one disk is a copy of the other.
func (p *planner) findSystemDisk() {
	var metas []blockdev.Volume
	for _, v := range p.Volumes {
		if v.Type == blockdev.TypePartition && v.PartitionLabel == layout.Meta && v.Size == layout.MetaSize {
			metas = append(metas, v)
		}
	}
	switch len(metas) {
	case 0:
		p.noDisk = "the system disk is not known: no disk has a META partition, so the system is installed on none"
	case 1:
		p.system = metas[0].Parent
	default:
		p.cloned = true
		p.noDisk = fmt.Sprintf("the system disk is not known: %s both have a META partition, as if one disk were a copy of the other; take the copy away, or wipe it",
			join(metas, " and "))
	}
}

func join(volumes []blockdev.Volume, with string) string {
	var names []string
	for _, v := range volumes {
		names = append(names, v.DevPath)
	}
	return strings.Join(names, with)
}

// decide is what becomes of a volume.
func (p *planner) decide(s Spec) Volume {
	v := Volume{Spec: s}
	part, err := p.located(s)
	before := p.unready(s.Wave)
	switch {
	case s.Wave == systemWave && p.cloned:
		return v.failed("%s", p.noDisk)
	case s.Wave == systemWave && s.Selector != "" && p.toInstall():
		v.Phase, v.Reason = Waiting, "the system is to be installed first (machine.install)"
		return v
	case s.Disk != "" && s.Disk == "/dev/"+p.system:
		return v.failed("machine.disks names %s, which is the system disk", s.Disk)
	case err != nil:
		return v.failed("%v", err)
	case part == nil && s.Selector == "":
		v.Phase, v.Reason = Missing, s.Why
		return v
	case before != "" && (part == nil || toMake(s, *part)):
		v.Phase, v.Reason = Waiting, fmt.Sprintf("%s comes first and is not ready", before)
		return v
	case part == nil:
		return p.provision(v)
	}
	return p.existing(v, *part)
}

// toInstall tells that there is no system on any disk, and that there is to be one: it may be on the very disk of another volume.
func (p *planner) toInstall() bool {
	main := mainOf(p.Config)
	return p.system == "" && !p.cloned && main != nil && main.Machine.Install != nil
}

func (v Volume) failed(format string, args ...any) Volume {
	v.Phase, v.Reason = Failed, fmt.Sprintf(format, args...)
	return v
}

// located is the volume's partition, finished or not; nil where there is none.
func (p *planner) located(s Spec) (*blockdev.Volume, error) {
	program, err := compile(s.Locator, locatorEnv())
	if err != nil {
		return nil, err
	}
	var found []blockdev.Volume
	for _, v := range p.Volumes {
		if v.Type != blockdev.TypePartition {
			continue
		}
		ok, err := program.Match(volumeValues(v))
		if err != nil {
			return nil, fmt.Errorf("the locator %s: %s: %w", s.Locator, v.DevPath, err)
		}
		if ok || s.Label != "" && v.PartitionLabel == s.Unfinished() {
			found = append(found, v)
		}
	}
	if len(found) > 1 {
		found = slices.DeleteFunc(found, func(v blockdev.Volume) bool { return v.Parent != p.system })
	}
	switch {
	case len(found) == 0:
		return nil, p.ambiguous(s)
	case len(found) > 1:
		return nil, fmt.Errorf("there are several partitions of the name %s on the system disk: %s", s.Label, join(found, ", "))
	}
	one := found[0]
	if other, ok := p.claimed[one.ID]; ok && other != s.ID {
		return nil, fmt.Errorf("%s is the partition of %s", one.DevPath, other)
	}
	p.claimed[one.ID] = s.ID
	return &one, nil
}

// ambiguous is an error where partitions of the name are on several disks, none of them the system's.
func (p *planner) ambiguous(s Spec) error {
	if s.Label == "" || s.Label == layout.Meta {
		return nil
	}
	var found []blockdev.Volume
	for _, v := range p.Volumes {
		if v.Type == blockdev.TypePartition && v.PartitionLabel == s.Label {
			found = append(found, v)
		}
	}
	if len(found) < 2 {
		return nil
	}
	return fmt.Errorf("%s are all called %s, and none is on the system disk; take the disks away that do not belong here, or wipe them", join(found, ", "), s.Label)
}

// toMake tells that the partition is there and is still to be made.
func toMake(s Spec, part blockdev.Volume) bool {
	return strings.HasPrefix(part.PartitionLabel, unfinishedPrefix) || s.Filesystem != "" && part.Name == "" && part.Blank
}

// existing is what becomes of a volume that has a partition.
func (p *planner) existing(v Volume, part blockdev.Volume) Volume {
	v.Phase, v.Location, v.Size = Located, part.DevPath, part.Size
	step := Step{Volume: v.ID, Disk: part.Parent, Device: part.DevPath, Number: int(part.PartitionIndex), Name: v.Label, Start: part.Offset, Size: part.Size}
	if p.changed[part.Parent] {
		v.Reason = "its disk is to be changed first"
		return v
	}
	unfinished := strings.HasPrefix(part.PartitionLabel, unfinishedPrefix)
	switch {
	case unfinished && v.Selector == "":
		v.Phase, v.Reason = Missing, v.Why+"; a partition that was begun for it is there"
		return v
	case unfinished:
		step.Action = Make
		v.Phase, v.Reason = Provisioned, "it is to be formatted"
		return p.do(v, step)
	case part.Error != "":
		return v.failed("%s cannot be read: %s", part.DevPath, part.Error)
	}
	v.Phase = Provisioned
	if v, step = p.content(v, part, step); v.Phase == Failed {
		return v
	}
	if bigger := p.grown(v.Spec, part); bigger > part.Size && step.Action != Claim {
		step.Action, step.Size = Grow, bigger
		v.Phase, v.Reason = Located, fmt.Sprintf("it is to grow by %s", blockdev.Pretty(bigger-part.Size))
	}
	if step.Action == "" {
		return v
	}
	return p.do(v, step)
}

// content is what becomes of a volume whose partition has its size, and with an action the step.
func (p *planner) content(v Volume, part blockdev.Volume, step Step) (Volume, Step) {
	switch {
	case v.Filesystem == "":
		if !slices.Contains(v.content, part.Name) {
			return v.failed("%s holds %s, not the values of %s", part.DevPath, part.Name, v.ID), step
		}
		part.Size = cmp.Or(part.ProbedSize, part.Size)
	case part.Name == "" && part.Blank:
		step.Action, step.Name = Claim, v.Unfinished()
		v.Reason = "it is to be formatted"
		return v, step
	case part.Name == "":
		return v.failed("%s holds something that is not known here, and it is left alone; %s", part.DevPath, v.howToWipe()), step
	case part.Name == luks:
		return p.encrypted(v, step)
	case v.Encryption != nil:
		return v.failed("block dev type mismatch: %s != luks: %s is not encrypted as the configuration wants; it is encrypted when it is made anew: %s", part.Name, part.DevPath, v.howToWipe()), step
	case part.Name != v.Filesystem:
		return v.failed("filesystem type mismatch: %s != %s on %s; %s", part.Name, v.Filesystem, part.DevPath, v.howToWipe()), step
	}
	v.Phase, v.Size = Ready, part.Size
	return v, step
}

// luks is what discovery calls an encrypted partition.
const luks = "luks"

// encrypted is what becomes of a volume whose partition is.
func (p *planner) encrypted(v Volume, step Step) (Volume, Step) {
	inside, opened := p.Opened[v.ID]
	switch {
	case v.Encryption == nil:
		return v.failed("volume is encrypted, but no encryption config provided: say in machine.systemDiskEncryption how %s is opened", v.ID), step
	case !opened:
		step.Action = Open
		v.Reason = "it is to be opened"
		return v, step
	case inside.Error != "":
		return v.failed("%s cannot be read: %s", inside.DevPath, inside.Error), step
	case inside.Name != v.Filesystem:
		return v.failed("%s is encrypted and holds no %s; it is left alone; %s", v.Location, v.Filesystem, v.howToWipe()), step
	}
	v.Phase, v.Size = Ready, inside.Size
	return v, step
}

// howToWipe is a hint.
func (s *Spec) howToWipe() string {
	if s.Wave == userDiskWave {
		return "wipe the disk if nothing on it is needed"
	}
	return "to lose what is in it, boot once with the kernel argument talos.experimental.wipe=system:" + s.ID
}

// do adds a step to the plan.
func (p *planner) do(v Volume, s Step) Volume {
	p.plan.Next = append(p.plan.Next, s)
	if s.Action != Open && s.Action != Make {
		p.changed[s.Disk] = true
	}
	return v
}

// Volume is the volume of that ID, with an empty phase where there is none.
func (p *Plan) Volume(id string) Volume {
	for _, v := range p.Volumes {
		if v.ID == id {
			return v
		}
	}
	return Volume{}
}

// Spec is how the volume of that ID is to be.
func (p *Plan) Spec(id string) Spec { return p.Volume(id).Spec }
