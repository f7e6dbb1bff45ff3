package bootreport

// States of an installation.
const (
	InstallPresent = "present" // there is a system on a disk already, and the machine halts as it was told to
	InstallRunning = "installing"
	InstallDone    = "installed" // the machine restarts from the disk
	InstallFailed  = "failed"    // Error says why; it is tried again
	InstallRefused = "refused"   // Error says why it can never work; it is tried again when the configuration changes
)

// Install is how a machine without a system on its disks installs itself.
type Install struct {
	State    string `json:"state"`              // one of the above
	Disk     string `json:"disk,omitempty"`     // that is installed to, such as /dev/sda
	Chosen   string `json:"chosen,omitempty"`   // why that disk
	Replaced string `json:"replaced,omitempty"` // what was on it
	From     string `json:"from,omitempty"`     // an image, or the device of the medium that the machine booted from
	Error    string `json:"error,omitempty"`
}
