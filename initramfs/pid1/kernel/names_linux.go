package kernel

import (
	"context"
	"net"
	"net/netip"
)

// Lookup follows Names.
func (Linux) Lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}
