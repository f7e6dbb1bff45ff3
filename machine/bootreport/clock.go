package bootreport

// Clock is the machine's idea of the time, and how it came by it.
type Clock struct {
	Now         string   `json:"now"`                   // RFC 3339, UTC
	BeforeBuild bool     `json:"beforeBuild,omitempty"` // earlier than the image was built, and so wrong
	Synced      bool     `json:"synced,omitempty"`      // set by a server, or to be taken as right by the configuration
	Disabled    bool     `json:"disabled,omitempty"`    // no server is asked, by the configuration
	Servers     []string `json:"servers,omitempty"`     // that are asked, by name
	Source      string   `json:"source,omitempty"`      // address or device that set it last
	OffsetMS    float64  `json:"offsetMs,omitempty"`    // that had to be added then, in milliseconds
	JitterMS    float64  `json:"jitterMs,omitempty"`    // of such offsets
	Stratum     int      `json:"stratum,omitempty"`     // of the source
	Leap        int      `json:"leap,omitempty"`        // 1 or 2: this month ends with a second more or less
	PollS       int      `json:"pollS,omitempty"`       // seconds between questions
	Jumps       int      `json:"jumps,omitempty"`       // changes by more than 15 minutes
	Faults      []string `json:"faults,omitempty"`      // of servers, and of what sets the clock
}
