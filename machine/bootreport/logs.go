package bootreport

// Logs are the logs that the machine keeps and sends.
type Logs struct {
	Rings        []LogRing        `json:"rings,omitempty"`
	Destinations []LogDestination `json:"destinations,omitempty"`
	KernelLost   uint64           `json:"kernelLost,omitempty"` // records that the kernel overwrote before they were read
}

// LogRing is a log that is kept.
type LogRing struct {
	Name      string `json:"name"`                // kernel, or a service
	Lines     uint64 `json:"lines"`               // that there have been
	Forgotten uint64 `json:"forgotten,omitempty"` // those of them that are no longer kept
	Bytes     int    `json:"bytes"`               // of memory that it takes
}

// LogDestination is a place that logs are sent to.
type LogDestination struct {
	URL     string `json:"url"`
	Logs    string `json:"logs"`              // services or kernel
	State   string `json:"state"`             // connecting, connected, waiting (to connect again) or refused (not a destination)
	Sent    uint64 `json:"sent"`              // lines
	Dropped uint64 `json:"dropped,omitempty"` // lines that came faster than they could be sent
	Error   string `json:"error,omitempty"`   // the last one
}
