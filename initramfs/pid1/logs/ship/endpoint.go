package ship

import (
	"net"
	"net/url"
	"strconv"

	"github.com/bootwright/bootwright/internal/report"
)

// Endpoint is where lines go.
type Endpoint struct {
	Network string // tcp or udp
	Address string // host:port
}

// ParseEndpoint reads "tcp://host:5044/". An error is of kind Invalid.
func ParseEndpoint(s string) (Endpoint, error) {
	u, err := url.Parse(s)
	if err != nil {
		return Endpoint{}, report.Errorf(report.Invalid, "log destination: %w", err)
	}
	if u.Scheme != "tcp" && u.Scheme != "udp" {
		return Endpoint{}, report.Errorf(report.Invalid, "log destination %s: use tcp:// or udp://", s)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || host == "" || perr != nil || n == 0 {
		return Endpoint{}, report.Errorf(report.Invalid, "log destination %s: use a host and a port, such as %s://host:5044/", s, u.Scheme)
	}
	return Endpoint{u.Scheme, u.Host}, nil
}
