package bootreport

// States of a service.
const (
	ServiceWaiting   = "waiting"   // for what Reason says
	ServicePreparing = "preparing" // it starts, and is not ready yet
	ServiceRunning   = "running"   // it is ready
	ServiceFinished  = "finished"  // it ended well, or was stopped
	ServiceFailed    = "failed"    // Reason says why, and when it starts again if it does
	ServiceSkipped   = "skipped"   // it cannot run on this machine
)

// Service is one thing that runs on the machine.
type Service struct {
	Name     string `json:"name"`
	State    string `json:"state"` // one of the above
	Reason   string `json:"reason,omitempty"`
	SinceMS  int64  `json:"sinceMs"`            // when it came into its state
	Restarts int    `json:"restarts,omitempty"` // how often it was started again, for whatever reason
}
