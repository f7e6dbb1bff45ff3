package linux

import (
	"context"
	"net"
	"net/netip"
)

// Lookup follows Names.
func (Machine) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
