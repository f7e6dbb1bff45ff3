package bootreport

// Volume is a volume that the machine is to have.
type Volume struct {
	ID         string        `json:"id"`
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
