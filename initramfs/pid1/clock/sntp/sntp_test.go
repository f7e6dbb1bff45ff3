package sntp

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/clock/sntp/sntptest"
	"github.com/bootwright/bootwright/internal/report"
)

// built is before the time of a synctest bubble, 2000-01-01.
var built = time.Date(1999, 6, 1, 0, 0, 0, 0, time.UTC)

func options() Options {
	return Options{Now: func() time.Time { return time.Now().Round(0) }, Earlier: built}
}

func TestQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sntptest.Server
		s.Ahead(time.Second)
		s.Delays(func() (there, back time.Duration) { return 30 * time.Millisecond, 10 * time.Millisecond })
		s.Edit(func(p []byte) {
			p[0] |= 1 << 6
			binary.BigEndian.PutUint32(p[4:], 1<<15)
			binary.BigEndian.PutUint32(p[8:], 1<<14)
		})
		r, err := Query(t.Context(), s.Dial(), options())
		want := Response{
			Offset: time.Second + 10*time.Millisecond, RTT: 40 * time.Millisecond, Leap: 1, Stratum: 2, Precision: 119,
			RootDelay: time.Second / 2, RootDispersion: time.Second / 4, RootDistance: 520 * time.Millisecond,
		}
		if (r.Offset-want.Offset).Abs() > 2 || (r.RTT-want.RTT).Abs() > 2 || (r.RootDistance-want.RootDistance).Abs() > 2 {
			t.Errorf("%+v", r)
		}
		r.Offset, r.RTT, r.RootDistance = want.Offset, want.RTT, want.RootDistance
		if r != want || err != nil {
			t.Errorf("%+v, %v\nwant %+v", r, err, want)
		}
	})
}

// TestRefused: a server that lies or is out of order is told from one that is right.
func TestRefused(t *testing.T) {
	at := func(i int, ahead time.Duration) func([]byte) {
		return func(p []byte) { sntptest.PutTime(p[i:], time.Now().Add(ahead)) }
	}
	set := func(i int, bytes ...byte) func([]byte) { return func(p []byte) { copy(p[i:], bytes) } }
	for name, c := range map[string]struct {
		edit func(p []byte)
		want string
		kind report.Kind
	}{
		"origin":            {set(24, 1, 2, 3, 4, 5, 6, 7, 8), "no answer within 5s, except one that has another origin timestamp than was sent", report.Invalid},
		"no server":         {set(0, 4<<3|3), "no answer within 5s, except one that is of mode 3, not a server's", report.Invalid},
		"version":           {set(0, 2<<3|4), "no answer within 5s, except one that is of version 2, not 3 or 4", report.Invalid},
		"silence":           {sntptest.Silence, "no answer within 5s", report.Unavailable},
		"stratum 16":        {set(1, 16), "stratum 16: the server is not synchronised", report.Invalid},
		"stratum 255":       {set(1, 255), "stratum 255: the server is not synchronised", report.Invalid},
		"leap 3":            {set(0, 3<<6|4<<3|4), "leap indicator 3: the server is not synchronised", report.Invalid},
		"no transmit time":  {set(40, 0, 0, 0, 0, 0, 0, 0, 0), "no receive or transmit timestamp", report.Invalid},
		"no receive time":   {set(32, 0, 0, 0, 0, 0, 0, 0, 0), "no receive or transmit timestamp", report.Invalid},
		"backwards":         {at(32, 2*time.Second), "before the question was received", report.Invalid},
		"negative delay":    {at(40, 2*time.Second), "less than no time", report.Invalid},
		"1970":              {func(p []byte) { put(p, time.Unix(1000, 0)) }, "the server's time 1970-01-01T00:16:40Z is before 1999-06-01T00:00:00Z, when the image was built", report.Invalid},
		"reference time":    {at(16, time.Second), "reference timestamp 2000-01-01T00:00:01Z after the transmit timestamp 2000-01-01T00:00:00Z", report.Invalid},
		"root delay":        {set(4, 0, 40), "root distance 20s, more than 16s", report.Invalid},
		"root dispersion":   {set(8, 0xff, 0xff), "root distance 18h12m15s, more than 16s", report.Invalid},
		"kiss of death":     {func(p []byte) { p[0], p[1] = 0xe4, 0; copy(p[12:], "RATE") }, "kiss of death: RATE", report.Internal},
		"kiss of gibberish": {func(p []byte) { p[1] = 0; copy(p[12:], "R\x00\xff\n") }, "kiss of death: R", report.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var s sntptest.Server
				s.Edit(c.edit)
				r, err := Query(t.Context(), s.Dial(), options())
				if err == nil || !strings.Contains(err.Error(), c.want) || report.KindOf(err) != c.kind {
					t.Errorf("%+v, %v (%s), want %s", r, err, report.KindOf(err), c.want)
				}
			})
		})
	}
}

func put(p []byte, now time.Time) {
	for _, i := range []int{16, 32, 40} {
		sntptest.PutTime(p[i:], now)
	}
}

// TestForged: who guesses does not keep the right answer from being taken; nor does a packet that is cut short.
func TestForged(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		question := make([]byte, 100)
		_, from, err := server.ReadFrom(question)
		if err != nil {
			return
		}
		answer := make([]byte, size)
		answer[0], answer[1] = 4<<3|modeServer, 1
		put(answer, time.Now().Add(time.Hour))
		server.WriteTo(answer[:size-1], from)
		server.WriteTo(answer, from)
		put(answer, time.Now())
		copy(answer[24:], question[40:48])
		server.WriteTo(answer, from)
	}()
	conn, err := net.Dial("udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if r, err := Query(t.Context(), conn, options()); err != nil || r.Offset.Abs() > time.Minute {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestUnreachable: the error is the same each time.
func TestUnreachable(t *testing.T) {
	gone, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	conn, err := net.Dial("udp", gone.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := Query(t.Context(), conn, options()); err == nil || report.KindOf(err) != report.Unavailable || strings.Contains(err.Error(), "127.0.0.1") {
		t.Error(err)
	}
}

func TestCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sntptest.Server
		s.Edit(sntptest.Silence)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start := time.Now()
		if _, err := Query(ctx, s.Dial(), options()); !errors.Is(err, context.Canceled) || time.Since(start) != time.Second {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestEras: timestamps wrap in 2036 (RFC 5905, section 6); clocks may be anywhere.
func TestEras(t *testing.T) {
	for _, now := range []string{"1999-06-01T00:00:00Z", "2026-11-22T01:02:03Z", "2036-02-07T06:28:15Z", "2036-02-07T06:28:16Z", "2040-01-01T00:00:00Z", "2066-01-01T00:00:00Z"} {
		want, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		var p [8]byte
		sntptest.PutTime(p[:], want)
		if got := timestamp(binary.BigEndian.Uint64(p[:])).near(built); !got.Equal(want) {
			t.Errorf("%s was read as %s", now, stamp(got))
		}
	}
	for _, clock := range []int{1970, 2020, 2040, 2106, 2200} {
		from := time.Date(clock, 1, 1, 0, 0, 0, 0, time.UTC)
		var answer [size]byte
		answer[0], answer[1] = 4<<3|modeServer, 1
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		put(answer[:], now)
		r, err := response(parse(answer[:]), from, from.Add(2*time.Millisecond), now.AddDate(0, -1, 0))
		if got := from.Add(time.Millisecond).Add(r.Offset); err != nil || got.Sub(now).Abs() > time.Millisecond {
			t.Errorf("clock of %d: %s, %v", clock, stamp(got), err)
		}
	}
}

func TestInterval(t *testing.T) {
	for e, want := range map[int8]time.Duration{-128: 1, -23: 119, -1: time.Second / 2, 0: time.Second, 5: 32 * time.Second, 127: 24 * time.Hour} {
		if got := interval(e); got != want {
			t.Errorf("2^%d s is %s", e, got)
		}
	}
}

// TestChrony asks a server that is not ours.
func TestChrony(t *testing.T) {
	free, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.LocalAddr().String()
	free.Close()
	sntptest.Chrony(t, address)
	conn, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	o := options()
	o.Timeout = 100 * time.Millisecond
	r, err := Query(t.Context(), conn, o)
	for range 200 {
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		r, err = Query(t.Context(), conn, o)
	}
	if err != nil || r.Stratum != 5 || r.Leap != 0 || r.Offset.Abs() > 50*time.Millisecond || r.RTT > time.Second || r.Precision > time.Millisecond {
		t.Errorf("%+v, %v", r, err)
	}
}

// FuzzResponse: whatever comes, an answer that is taken keeps what Response promises.
func FuzzResponse(f *testing.F) {
	answer := make([]byte, size)
	answer[0], answer[1] = 4<<3|modeServer, 1
	put(answer, built.AddDate(1, 0, 0))
	f.Add(answer, int64(0), int64(time.Millisecond))
	f.Add(answer, int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, p []byte, sent, took int64) {
		if isAnswer(p, 0) != nil {
			return
		}
		t1 := time.Unix(0, sent)
		r, err := response(parse(p), t1, t1.Add(time.Duration(took)), built)
		if err != nil {
			return
		}
		if r.Stratum < 1 || r.Stratum > 15 || r.Leap < 0 || r.Leap > 2 || r.RTT < 0 || r.RootDelay < 0 || r.RootDispersion < 0 ||
			r.RootDistance < 0 || r.Precision <= 0 {
			t.Errorf("%+v", r)
		}
	})
}
