// Package ship sends logs to a destination: JSON objects by TCP, a line each, or by UDP, a datagram each (section 7 of the
// configuration guide).
//
// A destination reads the rings by cursors of its own and keeps nothing else, so a slow one costs the buffer of its
// socket, and one that is away loses only what the rings forget meanwhile; that is counted. By TCP each record arrives at
// least once: when a connection ends, sending goes on with the first record that the other side's kernel had not
// acknowledged. After a reset, which is what a peer sends that was killed before it had read everything, records of the
// last second are repeated even if acknowledged. A peer that loses what it took longer ago loses it for good: the protocol
// has no answers. UDP promises nothing.
package ship

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
)

// Stream is a log that is sent.
type Stream struct {
	Ring   *ring.Ring
	Fields func(ring.Record) map[string]any // of its JSON object, made anew each time
}

// Deps are what a Destination needs.
type Deps struct {
	Streams func() []Stream        // the logs to send; later calls may append
	Changed *watch.Value[struct{}] // set with each record of any, and with each new Stream
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Log     Log
}

// Log is where a destination says how it fares.
type Log interface {
	Infof(format string, args ...any)
	Warnf(format string, args ...any)
}

// Times of the guide's system, and bounds.
const (
	sendTimeout  = 5 * time.Second // without that a byte could be written
	firstWait    = time.Second     // before it connects again; then twice the last, up to
	longestWait  = 30 * time.Second
	lastWords    = time.Second // for what is still to be sent when the machine ends
	complainOnce = time.Minute
)

// State is what a destination does.
type State string

// The states.
const (
	Connecting State = "connecting"
	Connected  State = "connected"
	Waiting    State = "waiting" // to connect again
)

// Status is how a destination fares.
type Status struct {
	State   State
	Sent    uint64 // records, as far as is known
	Dropped uint64 // records that the rings forgot before they were sent, or that fit no datagram
	Error   string // the last one; "" if there was none
}

// Destination is one place that logs go to.
type Destination struct {
	name     string
	endpoint Endpoint
	deps     Deps
	timeout  time.Duration // sendTimeout

	mu     sync.Mutex
	tags   map[string]string
	status Status
	resume []uint64 // for each stream the Seq to go on with, outside a session

	// Of the goroutine that runs it.
	complained bool
	complaint  string
	lostSaid   time.Time
}

// New is a destination by a name for people, which has not begun.
func New(name string, endpoint Endpoint, deps Deps) *Destination {
	return &Destination{name: name, endpoint: endpoint, deps: deps, timeout: sendTimeout, status: Status{State: Connecting}}
}

// SetTags sets what every object from now on has besides its fields, and instead of those of the same name.
func (d *Destination) SetTags(tags map[string]string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tags = tags
}

// Status is how it fares now.
func (d *Destination) Status() Status {
	streams := d.adopt()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.status
	if s.State != Connected {
		for i, stream := range streams {
			s.Dropped += since(stream.Ring.Stats().Oldest, d.resume[i])
		}
	}
	return s
}

// since is a-b where that is not negative.
func since(a, b uint64) uint64 { return max(a, b) - b }

// Run sends until ctx ends.
func (d *Destination) Run(ctx context.Context) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		d.update(func(s *Status) { s.State = Connecting })
		d.adopt()
		began := time.Now()
		err := d.connect(ctx)
		if ctx.Err() != nil {
			return
		}
		lasted := time.Since(began) >= longestWait
		if lasted {
			wait = firstWait
		}
		d.update(func(s *Status) { s.State, s.Error = Waiting, reason(err) })
		d.complain(reason(err), lasted)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait + rand.N(wait/4)): // a fleet does not come back as one
		}
	}
}

// adopt returns the streams, and has those that are new begin with their oldest record.
func (d *Destination) adopt() []Stream {
	streams := d.deps.Streams()
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.resume); i < len(streams); i++ { // another caller may have more by now
		d.resume = append(d.resume, streams[i].Ring.Stats().Oldest)
	}
	return streams
}

// connect runs one session.
func (d *Destination) connect(ctx context.Context) error {
	dialing, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	conn, err := d.deps.Dial(dialing, d.endpoint.Network, d.endpoint.Address)
	if err != nil {
		return err
	}
	d.update(func(s *Status) { s.State = Connected })
	if d.complained {
		d.complained = false
		d.deps.Log.Infof("log destination %s is reached again", d.name)
	}
	return newSession(d, conn).run(ctx)
}

func (d *Destination) update(f func(*Status)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.status)
}

// reason is an error without the addresses that net puts before it: the destination's is known, and ours is another one
// each time.
func reason(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsTimeout {
			return "lookup " + dns.Name + ": no answer"
		}
		return "lookup " + dns.Name + ": " + dns.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return "no answer for " + sendTimeout.String()
	}
	return err.Error()
}

// complain says a failure, but not again and again the same.
func (d *Destination) complain(why string, lasted bool) {
	if d.complained || why == d.complaint && !lasted {
		return
	}
	d.complained, d.complaint = true, why
	d.deps.Log.Warnf("log destination %s: %s; what the rings hold is sent when it is back", d.name, why)
}

// lost counts records that are gone, and says so at times.
func (d *Destination) lost(n uint64) {
	if n == 0 {
		return
	}
	var all uint64
	d.update(func(s *Status) { s.Dropped += n; all = s.Dropped })
	if now := time.Now(); now.Sub(d.lostSaid) >= complainOnce {
		d.lostSaid = now
		d.deps.Log.Warnf("log destination %s: %d lines are lost so far, as they came faster than it took them", d.name, all)
	}
}
