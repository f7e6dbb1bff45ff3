package ring

// Level is how serious a record is.
type Level uint8

// The levels. Info is the zero Level: what says nothing of itself is information.
const (
	Info Level = iota
	Debug
	Warn
	Error
)

// String is the level as the wire has it: debug, info, warn or error.
func (l Level) String() string { return [...]string{"info", "debug", "warn", "error"}[l&3] }
