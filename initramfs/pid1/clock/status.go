package clock

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bootwright/bootwright/machine/bootreport"
)

// Status is how well the clock is known to be right.
type Status struct {
	Synced       bool          // the clock has been compared and set, or may be taken as right: see Config
	Disabled     bool          // by Config
	Servers      []string      // that are asked, by the names that they were given
	Source       string        // the address or device that the clock was last set by; "" for none yet
	Offset       time.Duration // of the clock when that was, to be added
	Jitter       time.Duration // of offsets, as a root mean square
	Stratum      int           // of the source; 0 is a device
	Leap         int           // that the source announces, as in sntp.Response
	PollInterval time.Duration // until the source is asked again
	Epoch        int           // how often the clock was changed by more than 15 minutes: certificates may have to be made anew
	Faults       []string      // of the last poll; none in a good one
}

// Report is s in the boot report, at the time now.
func (s Status) Report(now, built time.Time) bootreport.Clock {
	ms := func(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }
	return bootreport.Clock{
		Now: stamp(now), BeforeBuild: now.Before(built), Synced: s.Synced, Disabled: s.Disabled, Source: s.Source, Servers: s.Servers,
		OffsetMS: ms(s.Offset), JitterMS: ms(s.Jitter), Stratum: s.Stratum, Leap: s.Leap, PollS: int(s.PollInterval.Seconds()),
		Jumps: s.Epoch, Faults: s.Faults,
	}
}

// update changes the status and shows it.
func (t *task) update(change func(*Status)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.status)
	t.status.Synced = t.status.Disabled || t.status.Source != "" || t.expired
	t.Status.Set(t.status)
}

// changed counts a change of the clock that others may have to act upon.
func (t *task) changed(by time.Duration) {
	if by.Abs() > jump {
		t.update(func(s *Status) { s.Epoch++ })
	}
}

// fail shows faults and warns of them, once until there are others. Figures do not make others of them: a server that lies is
// asked every second, and its lies are never quite the same.
func (t *task) fail(err error) {
	text := err.Error()
	bare := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
	if bare == t.complaint {
		return
	}
	t.complaint = bare
	t.update(func(s *Status) { s.Faults = strings.Split(text, "\n") })
	t.Log.Warnf("time: %s", strings.ReplaceAll(text, "\n", "; "))
}

// fields is names and values as the log has them: {"rtt": "3.04ms", "leap": 0}.
func fields(pairs ...any) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		value := fmt.Sprint(pairs[i+1])
		if _, ok := pairs[i+1].(time.Duration); ok {
			value = strconv.Quote(value)
		}
		fmt.Fprintf(&b, ", %q: %s", pairs[i], value)
	}
	return "{" + strings.TrimPrefix(b.String(), ", ") + "}"
}
