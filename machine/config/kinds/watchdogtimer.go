package kinds

import (
	"reflect"
	"time"

	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/value"
)

// WatchdogTimerConfig keeps a hardware watchdog fed, which resets a machine that hangs.
type WatchdogTimerConfig struct {
	Header  `yaml:",inline"`
	Device  string         `yaml:"device" is:"path" required:"yes"`
	Timeout value.Duration `yaml:"timeout"` // 1m where it is not there
}

// Validate says what is wrong with the document.
func (w *WatchdogTimerConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(w).Elem())
	if timeout := time.Duration(w.Timeout); timeout != 0 && timeout < 10*time.Second {
		at.Field("timeout").Fault("", "is less than 10s")
	}
}

// Example is a document of the kind.
func (*WatchdogTimerConfig) Example() string {
	return `apiVersion: v1alpha1
kind: WatchdogTimerConfig
device: /dev/watchdog0
timeout: 2m
`
}
