package kernel

import (
	"context"
	"net/netip"
)

// Names are looked up.
type Names interface {
	// Lookup finds the addresses of a host by /etc/hosts and the servers of /etc/resolv.conf.
	Lookup(ctx context.Context, host string) ([]netip.Addr, error)
}
