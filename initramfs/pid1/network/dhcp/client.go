package dhcp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
)

// Sockets is what a client needs of the kernel.
type Sockets interface {
	ListenDHCP(link string) (net.PacketConn, error)
	ListenDHCP6(link string) (net.PacketConn, error)
}

// News is what a client has to say: a grant that is in force, or why there is none yet.
type News struct {
	Grant *Grant
	Since time.Time
	Fault string
}

// Client asks for leases for one link.
type Client struct {
	Sockets  Sockets
	Link     string
	MAC      net.HardwareAddr
	Hostname string // that the server is told; may be ""
	DUID     []byte // of DHCPv6; nil is one made of MAC
	Tell     func(News)
}

// The waits after an exchange that failed: the first, then twice the last, up to the longest.
const (
	firstWait   = time.Second
	longestWait = time.Minute
)

// patience is how long a client waits for an answer the first time; then twice as long, and so on, for tries times.
const (
	patience = time.Second
	tries    = 3
)

// exchange is one family's way to talk to servers. It remembers the lease that it obtained; anyServer lets another server than
// its giver extend that.
type exchange interface {
	obtain(ctx context.Context) (Grant, error)
	extend(ctx context.Context, anyServer bool) (Grant, error)
	close()
}

// errRefused is that a server takes a lease back.
var errRefused = errors.New("the server refuses the address")

// Run4 keeps a DHCPv4 lease until ctx ends.
func (c *Client) Run4(ctx context.Context) error {
	return c.run(ctx, func() (exchange, error) {
		conn, err := c.Sockets.ListenDHCP(c.Link)
		if err != nil {
			return nil, err
		}
		n, err := nclient4.NewWithConn(conn, c.MAC, nclient4.WithTimeout(patience), nclient4.WithRetry(tries))
		if err != nil {
			conn.Close()
			return nil, err
		}
		return &exchange4{c: c, n: n}, nil
	})
}

func (c *Client) run(ctx context.Context, open func() (exchange, error)) error {
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestWait) {
		x, err := open()
		if err == nil {
			var had bool
			if had, err = c.hold(ctx, x); had {
				wait = firstWait
			}
			x.close()
		}
		if ctx.Err() != nil {
			break
		}
		c.Tell(News{Fault: err.Error()})
		jitter := time.Duration(rand.Int64N(int64(wait / 4))) // machines that start together should not ask together
		sleep(ctx, wait+jitter)
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// hold obtains a lease and extends it for as long as servers let it.
func (c *Client) hold(ctx context.Context, x exchange) (had bool, err error) {
	since := time.Now()
	g, err := x.obtain(ctx)
	if err != nil {
		return false, err
	}
	for ctx.Err() == nil {
		c.Tell(News{Grant: &g, Since: since})
		sleep(ctx, time.Until(since.Add(g.Renew)))
		asked := time.Now()
		next, err := c.extend(ctx, x, g, since)
		if err != nil {
			return true, err
		}
		g, since = next, asked
	}
	return true, nil
}

// extend asks until the lease is extended, refused or over, after each failure for half of the time that is left (RFC 2131,
// 4.4.5).
func (c *Client) extend(ctx context.Context, x exchange, g Grant, since time.Time) (Grant, error) {
	for ctx.Err() == nil {
		next, err := x.extend(ctx, time.Since(since) >= g.Rebind)
		if err == nil || errors.Is(err, errRefused) {
			return next, err
		}
		left := time.Until(since.Add(g.Lifetime))
		if left < shortest/4 {
			sleep(ctx, left)
			return g, fmt.Errorf("the lease of %s is over: %w", g.Address.Addr(), err)
		}
		sleep(ctx, left/2)
	}
	return g, ctx.Err()
}

// exchange4 is DHCPv4.
type exchange4 struct {
	c     *Client
	n     *nclient4.Client
	lease *nclient4.Lease
}

func (x *exchange4) close() { x.n.Close() }

func (x *exchange4) obtain(ctx context.Context) (g Grant, err error) {
	x.lease, err = x.n.Request(ctx, request(x.c.Hostname)...)
	if err != nil {
		return g, explain(err)
	}
	return Of4(x.c.Link, x.lease.ACK)
}

func (x *exchange4) extend(ctx context.Context, anyServer bool) (g Grant, err error) {
	q, err := dhcpv4.NewRenewFromAck(x.lease.ACK, request(x.c.Hostname)...)
	if err != nil {
		return g, err
	}
	match := nclient4.IsMessageType(dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak)
	if !anyServer {
		match = nclient4.IsAll(match, nclient4.IsCorrectServer(x.lease.ACK.ServerIdentifier()))
	}
	ack, err := x.n.SendAndRead(ctx, x.n.RemoteAddr(), q, match)
	if err != nil {
		return g, explain(err)
	}
	if ack.MessageType() == dhcpv4.MessageTypeNak {
		return g, fmt.Errorf("%w %s", errRefused, x.lease.ACK.YourIPAddr)
	}
	for code, value := range x.lease.ACK.Options { // some servers say only once what does not change
		if _, again := ack.Options[code]; !again {
			ack.Options[code] = value
		}
	}
	g, err = Of4(x.c.Link, ack)
	if err == nil {
		x.lease.ACK = ack
	}
	return g, err
}

// explain is err in the words of somebody who looks for a server.
func explain(err error) error {
	if errors.Is(err, nclient4.ErrNoResponse) {
		return errors.New("no server answers")
	}
	if nak, ok := errors.AsType[*nclient4.ErrNak](err); ok {
		return fmt.Errorf("%w: %.100q", errRefused, strings.TrimSpace(nak.Nak.Message()))
	}
	return err
}
