// Package logs keeps the logs of the machine, the kernel's and one of each service, each in a ring of bounded memory, and
// sends them to where the machine configuration says (section 7 of the configuration guide). Nothing that logs waits for
// anything that reads.
//
// The time of a record is kept as the time since the kernel started and becomes a date when it is read, so that what was
// said before the clock was set has its right time afterwards.
package logs

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/kmsg"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/lines"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ship"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// Init is the service whose log is that of init itself. The name is the guide's.
const Init = "machined"

// Logs are the logs of a machine.
type Logs struct {
	since   func() time.Duration
	clock   clock
	changed watch.Value[struct{}]
	codec   *ring.Codec
	kernel  *kmsg.Reader

	mu       sync.Mutex
	services []service // in the order in which they began, never fewer
	running  map[key]*running
	refused  []bootreport.LogDestination // what is no destination
}

// service is a log by name.
type service struct {
	name string
	ship.Stream
}

// New are empty logs. sinceBoot is the time since the kernel started.
func New(sinceBoot func() time.Duration) *Logs {
	l := &Logs{since: sinceBoot, clock: clock{sinceBoot: sinceBoot}, codec: ring.NewCodec(), running: map[key]*running{}}
	l.kernel = &kmsg.Reader{Ring: l.newRing()}
	return l
}

func (l *Logs) newRing() *ring.Ring { return ring.New(l.codec, 0, &l.changed) }

// Kernel is the log of the kernel. The texts of its records are for kmsg.Parse.
func (l *Logs) Kernel() *ring.Ring { return l.kernel.Ring }

// Ring is the log of a service, or nil where there is none.
func (l *Logs) Ring(name string) *ring.Ring {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.find(name)
}

// find needs the lock.
func (l *Logs) find(name string) *ring.Ring {
	if i := slices.IndexFunc(l.services, func(s service) bool { return s.name == name }); i >= 0 {
		return l.services[i].Ring
	}
	return nil
}

// Services are the names of the services that have a log, sorted.
func (l *Logs) Services() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([]string, len(l.services))
	for i, s := range l.services {
		names[i] = s.name
	}
	slices.Sort(names)
	return names
}

// open is the log of a service, which it makes when there is none.
func (l *Logs) open(name string) *ring.Ring {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.find(name)
	if r == nil {
		r = l.newRing()
		l.services = append(l.services, service{name, ship.Stream{Ring: r, Fields: l.serviceFields(name)}})
	}
	return r
}

// Service takes what a service prints, and makes lines of it. Each caller gets a Writer of its own for the one log of that
// name; a service has one for each of its streams, so that their lines do not mix. Close takes the last line without end.
func (l *Logs) Service(name string) io.WriteCloser {
	r := l.open(name)
	return &lines.Writer{Emit: func(line []byte) { r.Append(l.since(), lines.Level(line), line) }}
}

// Say adds to the log of init, at a priority of the kernel log (3 error, 4 warning, 6 info).
func (l *Logs) Say(priority int, text string) {
	r := l.open(Init)
	for line := range bytes.Lines([]byte(text)) {
		r.Append(l.since(), kmsg.Priority(priority).Level(), bytes.TrimRight(line, "\n"))
	}
}

// Time is the date of a record.
func (l *Logs) Time(rec ring.Record) time.Time { return l.clock.date(rec.At) }

// clock makes dates of times since the kernel started.
type clock struct {
	sinceBoot func() time.Duration

	mu   sync.Mutex
	boot time.Time
}

// date follows the machine's clock, but not its every tick, as the order of dates must be that of the records.
func (c *clock) date(at time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	boot := time.Now().UTC().Round(0).Add(-c.sinceBoot())
	if boot.Sub(c.boot).Abs() > 10*time.Millisecond {
		c.boot = boot
	}
	return c.boot.Add(at)
}

// Report is how the logs are now.
func (l *Logs) Report() bootreport.Logs {
	l.mu.Lock()
	services, running, refused := slices.Clone(l.services), maps.Clone(l.running), slices.Clone(l.refused)
	l.mu.Unlock()
	r := bootreport.Logs{KernelLost: l.kernel.Lost(), Destinations: refused}
	for _, s := range append([]service{{"kernel", ship.Stream{Ring: l.kernel.Ring}}}, services...) {
		st := s.Ring.Stats()
		r.Rings = append(r.Rings, bootreport.LogRing{Name: s.name, Lines: st.Next, Forgotten: st.Oldest, Bytes: st.Bytes})
	}
	for k, d := range running {
		s := d.Status()
		r.Destinations = append(r.Destinations, bootreport.LogDestination{
			URL: k.url, Logs: k.logs, State: string(s.State), Sent: s.Sent, Dropped: s.Dropped, Error: s.Error,
		})
	}
	slices.SortFunc(r.Destinations, func(a, b bootreport.LogDestination) int {
		return cmp.Or(cmp.Compare(a.Logs, b.Logs), cmp.Compare(a.URL, b.URL))
	})
	return r
}
