package bootreport

import "reflect"

// VolumeConfig is how a volume is to be, in the words of the configuration guide (section 5). Sizes are in bytes.
type VolumeConfig struct {
	ID           string            `json:"id"`
	Version      int               `json:"version,omitempty"` // as Disk.Version
	Type         string            `json:"type"`              // partition
	Provisioning Provisioning      `json:"provisioning"`
	Encryption   *VolumeEncryption `json:"encryption,omitempty"`
	Locator      Match             `json:"locator"`
	Mount        *MountTarget      `json:"mount,omitempty"`
}

// Provisioning is where and how a volume is made.
type Provisioning struct {
	Wave         int             `json:"wave"`                   // volumes of later waves wait for those of earlier ones
	DiskSelector *Match          `json:"diskSelector,omitempty"` // none for a volume that is not made
	Partition    *PartitionSpec  `json:"partitionSpec,omitempty"`
	Filesystem   *FilesystemSpec `json:"filesystemSpec,omitempty"`
}

// Match is a CEL expression.
type Match struct {
	Match string `json:"match"`
}

// PartitionSpec is the partition of a volume. A size of 0 is no limit.
type PartitionSpec struct {
	MinSize  uint64 `json:"minSize,omitempty"`
	MaxSize  uint64 `json:"maxSize,omitempty"`
	Grow     bool   `json:"grow"` // at every boot
	Label    string `json:"label,omitempty"`
	TypeUUID string `json:"typeUUID"`
}

// FilesystemSpec is what a volume is formatted with.
type FilesystemSpec struct {
	Type  string `json:"type"`
	Label string `json:"label,omitempty"`
}

// VolumeEncryption is how a volume is encrypted, and says nothing that is secret.
type VolumeEncryption struct {
	Provider string      `json:"provider"`
	Keys     []VolumeKey `json:"keys"`
}

// VolumeKey is a key of an encrypted volume.
type VolumeKey struct {
	Slot int    `json:"slot"`
	Type string `json:"type"` // static, nodeID, kms or tpm
}

// MountTarget is where a volume is mounted.
type MountTarget struct {
	TargetPath string `json:"targetPath"`
}

// Volume is a volume that the machine is to have.
type Volume struct {
	ID         string        `json:"id"`
	Version    int           `json:"version,omitempty"`  // as Disk.Version
	Phase      string        `json:"phase"`              // the guide's: waiting, missing, located, provisioned, prepared, ready, failed, closed
	Location   string        `json:"location,omitempty"` // the partition, such as /dev/vda5
	Size       uint64        `json:"size,omitempty"`     // in bytes, of the partition or of what is inside where that is encrypted
	PrettySize string        `json:"prettySize,omitempty"`
	Encrypted  bool          `json:"encrypted,omitempty"`
	Reason     string        `json:"reason,omitempty"` // why it is not ready, and what to do
	Disks      []DiskVerdict `json:"disks,omitempty"`  // where it could not be made
}

// DiskVerdict is why a disk does not get a volume.
type DiskVerdict struct {
	Disk   string `json:"disk"`
	Reason string `json:"reason"`
}

// Mount is a volume that is mounted.
type Mount struct {
	Volume string `json:"volume"`
	Source string `json:"source"`
	Target string `json:"target"`
	Type   string `json:"type"`
}

// SetDisks makes the disks and what is on them those of the report.
func (r *Report) SetDisks(disks []Disk, found []DiscoveredVolume) {
	r.Disks = numbered(r.Disks, disks, func(d *Disk) (string, *int) { return d.Name, &d.Version })
	r.Discovered = numbered(r.Discovered, found, func(v *DiscoveredVolume) (string, *int) { return v.ID, &v.Version })
}

// SetVolumes makes the volumes, how they are to be and where they are mounted those of the report.
func (r *Report) SetVolumes(configs []VolumeConfig, volumes []Volume, mounts []Mount) {
	r.VolumeConfigs = numbered(r.VolumeConfigs, configs, func(c *VolumeConfig) (string, *int) { return c.ID, &c.Version })
	r.Volumes = numbered(r.Volumes, volumes, func(v *Volume) (string, *int) { return v.ID, &v.Version })
	r.Mounts = mounts
}

// numbered gives what is there now its versions: that of what was there before under the same name, or the next where it has
// changed.
func numbered[T any](before, now []T, of func(*T) (name string, version *int)) []T {
	for i := range now {
		name, version := of(&now[i])
		*version = 1
		for j := range before {
			was, old := of(&before[j])
			if was != name {
				continue
			}
			if *version = *old; !reflect.DeepEqual(before[j], now[i]) {
				*version = *old + 1
			}
		}
	}
	return now
}
