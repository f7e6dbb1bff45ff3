package network

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// lookup is a name that is looked up until there is an address. What is not stop is guarded by Task.mu.
type lookup struct {
	stop    context.CancelFunc
	address netip.Addr
	fault   string // of the last try; "" is none, or that there was no try yet
}

const (
	lookupLimit = 10 * time.Second
	lookupPause = 5 * time.Second // short: what is missing most of the time is the network, which comes
)

// manageLookups starts to look up the names that are wanted, and forgets the others.
func (t *Task) manageLookups(ctx context.Context, wanted []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for host, l := range t.lookups {
		if !slices.Contains(wanted, host) {
			l.stop()
			delete(t.lookups, host)
		}
	}
	for _, host := range wanted {
		if t.lookups[host] == nil {
			l := &lookup{}
			var its context.Context
			its, l.stop = context.WithCancel(ctx)
			t.lookups[host] = l
			t.Spawn(func() { t.lookUp(its, host, l) })
		}
	}
}

// lookUp looks up one name. An address that was found stays: peers that move tell so themselves.
func (t *Task) lookUp(ctx context.Context, host string, l *lookup) {
	for ctx.Err() == nil {
		limited, stop := context.WithTimeout(ctx, lookupLimit)
		found, err := t.Machine.LookUp(limited, host)
		stop()
		t.mu.Lock()
		if err == nil {
			l.address, l.fault = found[0], ""
		} else {
			l.fault = err.Error()
		}
		t.mu.Unlock()
		t.rouse()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookupPause):
		}
	}
}

// hosts are the names that are known, and unknown says why others are not.
func (t *Task) hosts() (known map[string]netip.Addr, unknown []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known = map[string]netip.Addr{}
	for host, l := range t.lookups {
		if known[host] = l.address; l.fault != "" {
			unknown = append(unknown, fmt.Sprintf("the endpoint %s: %s", host, l.fault))
		}
	}
	slices.Sort(unknown)
	return known, unknown
}
