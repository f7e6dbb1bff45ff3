package logs

import (
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/kmsg"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ship"
)

// Fields of the JSON objects that are sent, as section 7 of the guide names them.
const (
	fieldTime    = "talos-time"
	fieldLevel   = "talos-level"
	fieldService = "talos-service"
)

// serviceFields are the objects of a service.
func (l *Logs) serviceFields(name string) func(ring.Record) map[string]any {
	return func(rec ring.Record) map[string]any {
		return map[string]any{
			ship.Message: string(rec.Text), fieldService: name, fieldLevel: rec.Level.String(),
			fieldTime: l.Time(rec).Format(time.RFC3339Nano),
		}
	}
}

// kernelFields are the objects of the kernel log.
func (l *Logs) kernelFields(rec ring.Record) map[string]any {
	k, _ := kmsg.Parse(rec.Text) // what does not parse is not in the ring
	return map[string]any{
		ship.Message: string(k.Text) + "\n", "facility": k.Facility.String(), "priority": k.Priority.String(), "seq": k.Seq,
		"clock": k.Clock.Microseconds(), fieldLevel: rec.Level.String(), fieldTime: l.Time(rec).Format(time.RFC3339Nano),
	}
}
