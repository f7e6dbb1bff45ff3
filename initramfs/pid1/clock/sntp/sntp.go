package sntp

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/bootwright/bootwright/internal/report"
)

// Options are how to ask.
type Options struct {
	Now     func() time.Time // reads the clock that is compared
	Earlier time.Time        // an answer from before is wrong. It also tells which era an answer is of
	Timeout time.Duration    // zero is 5 s
}

// Response is an answer that passed all checks.
type Response struct {
	Offset         time.Duration // to be added to the clock
	RTT            time.Duration // on the way there and back
	Leap           int           // 0 none, 1 the last minute of the month has 61 seconds, 2 it has 59
	Stratum        int           // 1 to 15: servers between this one and a clock that is right by itself, plus one
	Precision      time.Duration // of the server's clock
	RootDelay      time.Duration // from the server to that clock and back
	RootDispersion time.Duration // error that has come up on the way
	RootDistance   time.Duration // how far the offset can be wrong
}

// KissOfDeath is that a server wants to be asked less or not at all (RFC 5905, section 7.4); the text is its code, such as RATE.
type KissOfDeath string

func (k KissOfDeath) Error() string { return "kiss of death: " + string(k) }

// Limits of what is believed.
const (
	maxDistance = 16 * time.Second      // MAXDISP, from the server to its clock
	granularity = -1 * time.Millisecond // a round trip takes less than no time where the clock is being slewed
)

// Query asks the server that conn, a UDP socket, is connected to. The error of an answer that cannot be right is of kind
// Invalid, that of none is of kind Unavailable; a KissOfDeath comes as itself.
func Query(ctx context.Context, conn net.Conn, o Options) (Response, error) {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if err := conn.SetDeadline(time.Now().Add(o.Timeout)); err != nil {
		return Response{}, err
	}
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	var b [8]byte
	rand.Read(b[:]) // never fails
	cookie := timestamp(binary.BigEndian.Uint64(b[:]))
	t1 := o.Now()
	if _, err := conn.Write(request(cookie)); err != nil {
		return Response{}, unavailable(err)
	}
	var strange error // the last answer to something else
	for {
		var buf [1024]byte // extension fields are passed over
		n, err := conn.Read(buf[:])
		t4 := o.Now()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if ctx.Err() != nil {
				return Response{}, ctx.Err()
			}
			err = report.Errorf(report.Unavailable, "no answer within %s", o.Timeout)
			if strange != nil {
				err = report.Errorf(report.Invalid, "%w, except one that %w", err, strange)
			}
			return Response{}, err
		}
		if err != nil {
			return Response{}, unavailable(err)
		}
		if strange = isAnswer(buf[:n], cookie); strange == nil {
			return response(parse(buf[:]), t1, t4, o.Earlier)
		}
	}
}

// unavailable is a network error without the addresses, of which the port is another each time.
func unavailable(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return report.Errorf(report.Unavailable, "%w", err)
}

// isAnswer tells whether p answers the question with cookie.
func isAnswer(p []byte, cookie timestamp) error {
	if len(p) < size {
		return fmt.Errorf("has %d bytes of %d", len(p), size)
	}
	switch a := parse(p); {
	case a.mode != modeServer:
		return fmt.Errorf("is of mode %d, not a server's", a.mode)
	case a.version < 3 || a.version > 4:
		return fmt.Errorf("is of version %d, not 3 or 4", a.version)
	case a.origin != cookie:
		return errors.New("has another origin timestamp than was sent")
	}
	return nil
}

// response is what a says to a question that was sent at t1, when the answer came at t4 (RFC 5905, section 8).
func response(a packet, t1, t4, earlier time.Time) (Response, error) {
	if a.stratum == 0 {
		return Response{}, KissOfDeath(code(a.id))
	}
	t2, t3 := a.receive.near(earlier), a.sent.near(earlier)
	r := Response{
		Offset: t2.Sub(t1)/2 + t3.Sub(t4)/2, RTT: t4.Sub(t1) - t3.Sub(t2),
		Leap: int(a.leap), Stratum: int(a.stratum), Precision: interval(a.precision),
		RootDelay: short(a.rootDelay), RootDispersion: short(a.dispersion),
	}
	switch {
	case a.stratum >= 16:
		return Response{}, invalid("stratum %d: the server is not synchronised", a.stratum)
	case a.leap == 3:
		return Response{}, invalid("leap indicator 3: the server is not synchronised")
	case a.receive == 0 || a.sent == 0:
		return Response{}, invalid("no receive or transmit timestamp")
	case t3.Before(t2):
		return Response{}, invalid("sent %s before the question was received", t2.Sub(t3))
	case r.RTT < granularity:
		return Response{}, invalid("round trip of %s: less than no time", r.RTT)
	case t3.Before(earlier):
		return Response{}, invalid("the server's time %s is before %s, when the image was built", stamp(t3), stamp(earlier))
	case a.reference != 0 && a.reference.near(t3).After(t3):
		return Response{}, invalid("reference timestamp %s after the transmit timestamp %s", stamp(a.reference.near(t3)), stamp(t3))
	case r.RootDelay/2+r.RootDispersion > maxDistance:
		return Response{}, invalid("root distance %s, more than %s", r.RootDelay/2+r.RootDispersion, maxDistance)
	}
	r.RTT = max(r.RTT, 0)
	r.RootDistance = r.RTT/2 + r.RootDelay/2 + r.RootDispersion
	return r, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func invalid(format string, args ...any) error { return report.Errorf(report.Invalid, format, args...) }

// code is the letters of a kiss code.
func code(id [4]byte) string {
	return strings.Map(func(r rune) rune {
		if r < 'A' || r > 'Z' {
			return -1
		}
		return r
	}, string(id[:]))
}
