package bootreport

// States of the system that runs, as one of two on its disk.
const (
	EntryTrial    = "on-trial"  // it has not been ready yet, and the machine goes back to the other one if it does not come so far
	EntryGood     = "good"      // it stays the one that starts
	EntryFallback = "fell-back" // it runs because the other one, to which it was upgraded, did not become ready
)

// Entry is the system on the disk that the machine was started with. The names are those of docs/install.md, such as bootwright-0123456789ab;
// bootwright alone is the system of a disk image.
type Entry struct {
	Name  string `json:"name"`
	State string `json:"state"`           // one of the above
	Tries int    `json:"tries,omitempty"` // that are left after this one, while on trial
	Other string `json:"other,omitempty"` // the system that is kept beside it
	Error string `json:"error,omitempty"` // why its state could not be changed; it is tried again
}

// States of a staged upgrade.
const (
	UpgradeWaiting = "waiting" // for the network, the clock and containerd
	UpgradeRunning = "running" // the installer is pulled and run
	UpgradeDone    = "done"    // the machine restarts with the new system, if that is another one
	UpgradeFailed  = "failed"  // Error says why; it is tried again
	UpgradeRefused = "refused" // Error says why it can never work; it is forgotten
)

// Upgrade is an upgrade that META asks for.
type Upgrade struct {
	Image string `json:"image"`
	State string `json:"state"` // one of the above
	Error string `json:"error,omitempty"`
}
