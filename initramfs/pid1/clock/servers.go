package clock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp"
	"github.com/bootwright/bootwright/internal/report"
)

// measurement is what a server says of the clock.
type measurement struct {
	server string // its address, or a device
	sntp.Response
}

// server is one that can be asked: a device, or an address.
type server struct {
	device  string
	address netip.AddrPort
}

func (s server) String() string {
	if s.device != "" {
		return s.device
	}
	if s.address.Port() == ntpPort {
		return s.address.Addr().String()
	}
	return s.address.String()
}

const (
	ntpPort    = 123
	maxServers = 16 // that names stand for
)

// servers are those that the settings name. The one that answered last is asked again, until it fails.
type servers struct {
	names   []string
	list    []server // empty before the names are resolved
	current int
}

func (s *servers) are(names []string) bool { return slices.Equal(s.names, names) }

// next turns to the server after the current one.
func (s *servers) next() {
	if len(s.list) > 0 {
		s.current = (s.current + 1) % len(s.list)
	}
}

// ask asks the current server and, where that fails, the others in their order. When all have failed, names are resolved
// anew the next time. The error then is a sntp.KissOfDeath if one of theirs was.
func (t *task) ask(ctx context.Context) (measurement, error) {
	s := &t.servers
	var faults []error
	if len(s.list) == 0 {
		s.list, faults = t.resolve(ctx, s.names)
		s.current = 0
	}
	for range s.list {
		one := s.list[s.current]
		r, err := t.query(ctx, one)
		if err == nil {
			return measurement{one.String(), r}, nil
		}
		s.next()
		faults = append(faults, fmt.Errorf("%s: %w", one, err))
		if ctx.Err() != nil {
			break
		}
	}
	s.list = nil
	return measurement{}, errors.Join(faults...)
}

// resolve finds the servers that names stand for.
func (t *task) resolve(ctx context.Context, names []string) (list []server, faults []error) {
	for _, name := range names {
		if isDevice(name) {
			list = append(list, server{device: name})
			continue
		}
		host, port := splitPort(name)
		addrs, err := t.addresses(ctx, host)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, withoutNames(err)))
		}
		for _, a := range addrs {
			list = append(list, server{address: netip.AddrPortFrom(a.Unmap(), port)})
		}
	}
	return list[:min(len(list), maxServers)], faults
}

func (t *task) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return t.Machine.Lookup(ctx, host)
}

// withoutNames is an error of the network without the host and address, which are said already.
func withoutNames(err error) error {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return errors.New(dns.Err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

func splitPort(name string) (host string, port uint16) {
	if host, p, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.ParseUint(p, 10, 16); err == nil {
			return host, uint16(n)
		}
	}
	return name, ntpPort
}

// clockName is what a device's driver calls it.
func (t *task) clockName(device string) string {
	p, err := t.Machine.ReadFile("/sys/class/ptp/" + path.Base(device) + "/clock_name")
	if err != nil {
		return "no name"
	}
	return strings.TrimSpace(string(p))
}

func (t *task) query(ctx context.Context, s server) (sntp.Response, error) {
	if s.device != "" {
		return t.queryDevice(ctx, s.device)
	}
	conn, err := t.Machine.Dial(ctx, "udp", s.address.String())
	if err != nil {
		return sntp.Response{}, withoutNames(err)
	}
	defer conn.Close()
	return sntp.Query(ctx, conn, sntp.Options{Now: t.Machine.Now, Earlier: t.Built})
}

// watched is how long a device is watched for its time to advance.
const watched = 100 * time.Millisecond

// queryDevice reads a hardware clock, which counts UTC. One that stands still or runs at another speed is none.
func (t *task) queryDevice(ctx context.Context, device string) (sntp.Response, error) {
	first, err := t.Machine.ReadPTP(device)
	if err != nil {
		return sntp.Response{}, err
	}
	select {
	case <-ctx.Done():
		return sntp.Response{}, ctx.Err()
	case <-time.After(watched):
	}
	r, err := t.Machine.ReadPTP(device)
	if err != nil {
		return sntp.Response{}, err
	}
	passed, advanced := r.After.Sub(first.After), r.Device.Sub(first.Device)
	switch {
	case (advanced - passed).Abs() > passed/2:
		return sntp.Response{}, report.Errorf(report.Invalid, "it advanced by %s in %s", advanced, passed)
	case r.Device.Before(t.Built):
		return sntp.Response{}, report.Errorf(report.Invalid, "its time %s is before the image was built", stamp(r.Device))
	}
	rtt := r.After.Sub(r.Before)
	return sntp.Response{Offset: r.Device.Sub(r.Before.Add(rtt / 2)), RTT: rtt, RootDistance: rtt / 2}, nil
}
