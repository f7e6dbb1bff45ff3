package services

import (
	"strings"
	"time"

	"github.com/bootwright/bootwright/machine/bootreport"
)

// wait waits until all is there that the service needs, and returns false if the machine shuts down before.
func (u *unit) wait() bool {
	conditions := make([]Condition, 0, len(u.Needs)+len(u.Waits))
	for _, name := range u.Needs {
		conditions = append(conditions, u.r.isRunning(name))
	}
	conditions = append(conditions, u.Waits...)
	for {
		missing, changed := missing(conditions)
		if u.r.stopping.Err() != nil {
			u.enter(bootreport.ServiceFinished, "stopped before it ran")
			return false
		}
		if missing == nil {
			return true
		}
		u.enter(bootreport.ServiceWaiting, "for "+strings.Join(missing, ", "))
		select {
		case <-changed:
		case <-u.r.stopping.Done():
		}
	}
}

// missing names the conditions that are not met, and gives a channel that is closed when the first of them may be.
func missing(conditions []Condition) (names []string, changed <-chan struct{}) {
	for _, c := range conditions {
		met, next := c.Met()
		if met {
			continue
		}
		if names = append(names, c.Name); len(names) == 1 {
			changed = orLater(next)
		}
	}
	return names, changed
}

// orLater is changed, or where it is nil a channel that is closed after a while.
func orLater(changed <-chan struct{}) <-chan struct{} {
	if changed != nil {
		return changed
	}
	later := make(chan struct{})
	time.AfterFunc(pathPoll, func() { close(later) })
	return later
}

// isRunning is met when the service called name runs, or has finished.
func (r *Runner) isRunning(name string) Condition {
	return Condition{Name: "service " + name, Met: func() (bool, <-chan struct{}) {
		u, added := r.find(name)
		if u == nil {
			return false, added
		}
		now, changed := u.status.Watch()
		return now.State == bootreport.ServiceRunning || now.State == bootreport.ServiceFinished, changed
	}}
}
