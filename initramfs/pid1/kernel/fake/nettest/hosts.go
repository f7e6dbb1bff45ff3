package nettest

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// Hosts are the addresses of names, by any number of goroutines. The zero value is empty.
type Hosts struct{ addresses sync.Map }

// SetHost gives a name an address.
func (h *Hosts) SetHost(name string, a netip.Addr) { h.addresses.Store(name, a) }

// LookUp is the address of a name as net.Resolver finds it.
func (h *Hosts) LookUp(_ context.Context, name string) ([]netip.Addr, error) {
	a, ok := h.addresses.Load(name)
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return []netip.Addr{a.(netip.Addr)}, nil
}
