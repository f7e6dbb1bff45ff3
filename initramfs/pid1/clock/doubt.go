package clock

import (
	"fmt"
	"time"
)

// claim is a jump that a server says the clock needs.
type claim struct {
	by        time.Duration
	server    string
	times     int // it was said, one after another
	conflicts int // other claims that came between
}

// How often a server has to say that the clock is far off, where no other says so too: a machine that has just started may
// well have a wrong clock, one that followed a server has not, unless it was asleep.
const (
	timesAtFirst = 2
	timesLater   = 8
)

// doubt takes a measurement that is too far off to be believed at once. It returns how long to wait for the next one, from
// another server where there is one, or 0 when this one is to be believed.
func (t *task) doubt(m measurement) time.Duration {
	c := &t.claim
	switch agrees := c.times > 0 && (m.Offset-c.by).Abs() <= stepOver+m.RTT; {
	case agrees && m.server != c.server:
		return 0
	case agrees:
		c.times++
	case c.times > 0:
		t.fail(fmt.Errorf("servers do not agree: the clock is off by %s says %s, by %s says %s", c.by, c.server, m.Offset, m.server))
		*c = claim{m.Offset, m.server, 1, c.conflicts + 1}
	default:
		t.fail(fmt.Errorf("%s says that the clock is off by %s, which has to be confirmed", m.server, m.Offset))
		*c = claim{m.Offset, m.server, 1, 0}
	}
	need := timesAtFirst
	if t.followed {
		need = timesLater
	}
	if c.times >= need {
		return 0
	}
	servers := len(t.servers.list)
	t.servers.next()
	if t.followed || c.conflicts >= servers {
		return minPoll
	}
	return retry
}
