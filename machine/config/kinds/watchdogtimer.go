package kinds

import (
	"reflect"
	"strings"
	"time"

	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/value"
)

// WatchdogTimerConfig keeps a hardware watchdog fed, which resets a machine that hangs.
type WatchdogTimerConfig struct {
	Header  `yaml:",inline"`
	Device  string         `yaml:"device" is:"path" required:"yes" doc:"The watchdog."`
	Timeout value.Duration `yaml:"timeout" doc:"How long the machine may hang before it is reset; a minute where it is not given."`
}

// Validate says what is wrong with the document.
func (w *WatchdogTimerConfig) Validate(at check.Place) {
	at.Tags(reflect.ValueOf(w).Elem())
	if w.Device != "" && !strings.HasPrefix(w.Device, "/dev/") {
		at.Field("device").Fault("such as /dev/watchdog0", "is not a device")
	}
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
