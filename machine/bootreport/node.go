package bootreport

// What became of something that the machine configuration asks for.
const (
	Applied = "applied"
	Refused = "refused" // Reason says why; it is tried again when a device appears, and now and then
	Pending = "pending" // Reason says what it takes: a reboot, or an upgrade
)

// Asked is one thing that the machine configuration asks for, and what became of it.
type Asked struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitempty"`
	State  string `json:"state"` // one of the above
	Reason string `json:"reason,omitempty"`
}

// Settings are those of the kernel that the machine configuration asks for.
type Settings struct {
	Modules    []Asked  `json:"modules,omitempty"` // in its order; Value is the parameters
	Sysctls    []Asked  `json:"sysctls,omitempty"`
	Sysfs      []Asked  `json:"sysfs,omitempty"`
	Arguments  []Asked  `json:"extraKernelArgs,omitempty"`
	Rules      []Asked  `json:"udevRules,omitempty"`
	Protection []Asked  `json:"selfProtection,omitempty"` // of the kernel's self-protection, what is not as it should be
	Variables  []string `json:"environment,omitempty"`    // names of the environment variables; values may be secret
}

// Trust is whom the machine's clients trust.
type Trust struct {
	Certificates int            `json:"certificates"` // authorities, those of the base included
	Documents    []TrustedRoots `json:"documents,omitempty"`
	Fault        string         `json:"fault,omitempty"` // why the store in /etc/ssl is not as it should be
}

// TrustedRoots is a TrustedRootsConfig.
type TrustedRoots struct {
	Name         string   `json:"name"`
	Certificates int      `json:"certificates"`     // that are trusted
	Faults       []string `json:"faults,omitempty"` // of those that were left out
}

// Watchdog is the timer that resets the machine when it hangs.
type Watchdog struct {
	Device   string `json:"device"`
	TimeoutS int    `json:"timeoutS,omitempty"` // as the device has it; 0 while it does not run
	Fault    string `json:"fault,omitempty"`    // why it does not run, or is not pinged
}
