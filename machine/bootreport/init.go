package bootreport

// Init is what the init itself takes, when the report is made.
type Init struct {
	Resident int64 `json:"resident"` // memory in bytes
	UserMS   int64 `json:"userMs"`   // time of a processor, in init
	SystemMS int64 `json:"systemMs"` // the same, in the kernel on init's behalf, such as loading modules
}
