// Package volumes decides what becomes of a machine's disks: which partitions its volumes are, where those are made that are
// not there yet, and what comes next. It follows the configuration guide, section 5. It reads and writes nothing: the init
// carries out what it says, and wrightctl shows what it would say.
//
// Every decision is taken anew from what is on the disks, never from what was done before. A partition that is being made has
// a name of its own (Unfinished), and gets the one that it is found by only when everything on it has reached the disk. So
// whatever a power cut leaves under that name was never used and may be overwritten, and nothing else ever is.
//
// Left out: volumes that take a whole disk, volumes of container images (IMAGECACHE), and making META, which comes with the
// system.
package volumes

import (
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// Machine is what a plan is made of.
type Machine struct {
	Disks   []blockdev.Disk
	Volumes []blockdev.Volume // that were discovered on them
	Config  *config.Config    // nil as long as there is none; then nothing is made
	// StateEncryption is how META says that STATE is encrypted, where there is no configuration to say it.
	StateEncryption *v1alpha1.Encryption
	Wipe            Wipe
	Opened          map[string]blockdev.Volume // what is inside encrypted volumes that are open, by ID
}

// Phase is how far a volume has come. The guide has the names.
type Phase string

// The phases.
const (
	Waiting     Phase = "waiting"     // for something else, see the reason
	Missing     Phase = "missing"     // not found, and not to be made
	Located     Phase = "located"     // found
	Provisioned Phase = "provisioned" // the partition has its size; what is in it is not ready
	Prepared    Phase = "prepared"    // the encrypted volume is open
	Ready       Phase = "ready"       // it can be mounted
	Closed      Phase = "closed"      // the encrypted volume has been closed
	Failed      Phase = "failed"      // see the reason
)

// Plan is what becomes of the volumes of a machine.
type Plan struct {
	SystemDisk string   // its name; empty where it is not known
	Volumes    []Volume // in the order in which they are made
	Next       []Step   // what can be done now, at most one for a volume; nothing else may be assumed of their order
}

// Volume is what becomes of one.
type Volume struct {
	Spec
	Phase    Phase
	Location string    // the partition, such as /dev/vda5; empty where there is none
	Size     uint64    // bytes of the partition, or of what is inside where that is encrypted
	Reason   string    // why it is not ready, and what to do; or what is to be known of it
	Verdicts []Verdict // of all disks, where it has no partition and one is wanted
}

// Verdict is why a disk does not get a volume; where Reason is empty it does.
type Verdict struct {
	Disk   string
	Reason string
}

// Action is what a step does.
type Action string

// The actions.
const (
	Repair Action = "repair" // write both tables of the disk anew, for the size that it has
	Erase  Action = "erase"  // because it is to be wiped: take a partition away and overwrite where it begins
	Clear  Action = "clear"  // because it is to be wiped: overwrite a whole disk's tables, or all of META
	Create Action = "create" // add a partition under its unfinished name, to a new table where the disk is blank
	Claim  Action = "claim"  // give a blank partition its unfinished name
	Make   Action = "make"   // encrypt and format a partition with an unfinished name, then give it its own
	Grow   Action = "grow"   // make a partition larger
	Open   Action = "open"   // open an encrypted partition
)

// Step is one thing to do.
type Step struct {
	Action Action
	Volume string // its ID; empty for Repair, and for Clear of a disk
	Disk   string // its name
	Device string // the partition; for Create its name is not known before
	Number int    // of the partition
	Name   string // of the partition after the step
	Start  uint64 // of the partition on the disk, in bytes
	Size   uint64 // of it after the step, in bytes
}

// unfinishedPrefix begins the names of partitions that are being made.
const unfinishedPrefix = "making "

// Spec is how a volume is to be. The zero sizes are no limits.
type Spec struct {
	ID         string
	Wave       int    // volumes of later waves wait for those of earlier ones
	Locator    string // CEL over volume: which partition it is
	Selector   string // CEL over disk: where it may be made; empty where it is not made
	Why        string // it is not made, where that is so
	Label      string // of its partition and file system; empty for none
	Type       gpt.GUID
	Disk       string // the only one where it may be, such as /dev/sdb; empty for any
	Number     int    // of the partition; 0 is the next
	MinSize    uint64
	MaxSize    uint64
	Grow       bool   // at every boot
	Filesystem string // empty for raw bytes
	Mount      string // where it is mounted; empty for nowhere
	Encryption *v1alpha1.Encryption
	content    []string // what else may be in it, where it holds raw bytes
}

// Unfinished is the name of the volume's partition while it is being made.
func (s *Spec) Unfinished() string { return UnfinishedName(s.Label) }

// UnfinishedName is that of a partition that is to be called label.
func UnfinishedName(label string) string {
	if label == "" {
		return unfinishedPrefix + "volume"
	}
	return unfinishedPrefix + label
}
