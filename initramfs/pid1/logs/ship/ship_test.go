package ship

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/report"
)

// logs are streams a, b … for tests.
type logs struct {
	rings   []*ring.Ring
	changed watch.Value[struct{}]
	written int

	mu    sync.Mutex
	lines []string // what destinations said
}

func newLogs(n, limit int) *logs {
	l, codec := &logs{}, ring.NewCodec()
	for range n {
		l.rings = append(l.rings, ring.New(codec, limit, &l.changed))
	}
	return l
}

func (l *logs) streams() (all []Stream) {
	for i, r := range l.rings {
		all = append(all, Stream{r, func(rec ring.Record) map[string]any {
			return map[string]any{Message: string(rec.Text), "from": string(rune('a' + i)), "seq": rec.Seq}
		}})
	}
	return all
}

// write adds n records, in turn to each ring.
func (l *logs) write(n int) {
	for range n {
		l.rings[l.written%len(l.rings)].Append(time.Duration(l.written), ring.Info, fmt.Appendf(nil, "line %d of some length, as lines are", l.written))
		l.written++
	}
}

func (l *logs) Infof(format string, args ...any) { l.Warnf(format, args...) }

func (l *logs) Warnf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

func (l *logs) said() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

type dial = func(ctx context.Context, network, address string) (net.Conn, error)

// start runs a destination until the returned function is called.
func (l *logs) start(network, address string, dial dial, timeout time.Duration) (d *Destination, stop func()) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	d = New(network+"://"+address, Endpoint{network, address}, Deps{l.streams, &l.changed, dial, l})
	if timeout > 0 {
		d.timeout = timeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	return d, func() { cancel(); <-ended }
}

// object is what a receiver gets.
type object struct {
	Msg, From, Tag string
	Seq            int
}

func parse(t *testing.T, line []byte) (o object) {
	t.Helper()
	if err := json.Unmarshal(line, &o); err != nil {
		t.Errorf("%q: %v", line, err)
	}
	return o
}

// receive reads lines until conn ends or n are there.
func receive(t *testing.T, conn net.Conn, n int) (got []object) {
	s := bufio.NewScanner(conn)
	for len(got) < n && s.Scan() {
		got = append(got, parse(t, s.Bytes()))
	}
	return got
}

// complete tells whether got are the records from the first of its stream on, each just once and in order, for every stream.
func complete(t *testing.T, got []object, l *logs) {
	t.Helper()
	next := map[string]int{}
	for _, o := range got {
		if o.Seq != next[o.From] {
			t.Fatalf("%s: record %d, want %d", o.From, o.Seq, next[o.From])
		}
		next[o.From]++
	}
	for i, r := range l.rings {
		if name := string(rune('a' + i)); next[name] != int(r.Stats().Next) {
			t.Errorf("%s: %d records of %d", name, next[name], r.Stats().Next)
		}
	}
}

// pipes is a dial function of connections without buffers, for bubbles.
func pipes(accepted chan<- net.Conn) dial {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		select {
		case accepted <- theirs:
			return ours, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conns := newLogs(3, 0), make(chan net.Conn)
		l.write(1000)
		d, stop := l.start("tcp", "h:1", pipes(conns), 0)
		conn := <-conns
		var writer sync.WaitGroup
		writer.Go(func() {
			for range 1000 {
				l.write(1)
				time.Sleep(time.Millisecond)
			}
		})
		got := receive(t, conn, 2000)
		writer.Wait()
		complete(t, got, l)
		for i, o := range got {
			if !strings.HasPrefix(o.Msg, fmt.Sprintf("line %d ", i)) {
				t.Fatalf("record %d of all is %q: the streams are not in the order of time", i, o.Msg)
			}
		}
		synctest.Wait()
		if s := d.Status(); s != (Status{State: Connected, Sent: 2000}) {
			t.Errorf("%+v", s)
		}
		d.SetTags(map[string]string{"tag": "t", "from": "tag"})
		l.write(1)
		if o := receive(t, conn, 1)[0]; o.Tag != "t" || o.From != "tag" {
			t.Errorf("%+v", o)
		}
		stop()
	})
}

// TestAwayForAMinute: the receiver goes away in the midst of a line, and for a minute nothing answers.
func TestAwayForAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conns := newLogs(2, 0), make(chan net.Conn)
		d, stop := l.start("tcp", "h:1", pipes(conns), 0)
		l.write(100)
		conn := <-conns
		got := receive(t, conn, 100)
		l.write(3)
		io.ReadFull(conn, make([]byte, 10))
		conn.Close()
		for range 60 {
			l.write(100)
			time.Sleep(time.Second)
		}
		if s := d.Status(); s.State == Connected || s.Dropped != 0 || s.Error == "" {
			t.Errorf("%+v", s)
		}
		conn = <-conns
		rest := receive(t, conn, 60*100+3)
		complete(t, append(got, rest...), l)
		stop()
		if n := strings.Count(l.said(), "\n") + 1; n > 3 {
			t.Errorf("%d lines about one outage:\n%s", n, l.said())
		}
	})
}

// TestOverrun: what the ring forgets meanwhile is counted and said, and the rest is in order.
func TestOverrun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conns := newLogs(1, 8<<10), make(chan net.Conn)
		var up atomic.Bool
		d, stop := l.start("tcp", "h:1", func(ctx context.Context, n, a string) (net.Conn, error) {
			if !up.Load() {
				return nil, syscall.ECONNREFUSED
			}
			return pipes(conns)(ctx, n, a)
		}, 0)
		l.write(1)
		time.Sleep(time.Second / 2)
		l.write(30000)
		gone := int(l.rings[0].Stats().Oldest)
		if s := d.Status(); s.State != Waiting || gone == 0 {
			t.Errorf("%+v, %d gone", s, gone)
		}
		up.Store(true)
		conn := <-conns
		got := receive(t, conn, 30001-gone)
		if got[0].Seq != gone {
			t.Errorf("first %d, want %d", got[0].Seq, gone)
		}
		for i, o := range got {
			if o.Seq != gone+i {
				t.Fatalf("record %d after %d", o.Seq, gone+i-1)
			}
		}
		synctest.Wait()
		l.write(1)
		receive(t, conn, 1)
		synctest.Wait()
		if s := d.Status(); int(s.Sent)+int(s.Dropped) != l.written {
			t.Errorf("%+v of %d", s, l.written)
		}
		stop()
	})
}

// TestBackOff: failures are said once, and tries become rare.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, tries := newLogs(1, 0), 0
		_, stop := l.start("tcp", "h:1", func(context.Context, string, string) (net.Conn, error) {
			tries++
			return nil, errors.New("no such host")
		}, 0)
		time.Sleep(10 * time.Minute)
		stop()
		if want := "log destination tcp://h:1: no such host; what the rings hold is sent when it is back"; l.said() != want {
			t.Errorf("said %q", l.said())
		}
		if tries < 15 || tries > 25 {
			t.Errorf("%d tries in ten minutes", tries)
		}
	})
}

// TestLastWords: what is there when the machine ends is still sent, but a receiver that hangs holds nothing up.
func TestLastWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, conns := newLogs(1, 0), make(chan net.Conn)
		_, stop := l.start("tcp", "h:1", pipes(conns), 0)
		conn := <-conns
		l.write(500)
		done := make(chan []object)
		go func() { done <- receive(t, conn, 501) }()
		stop()
		complete(t, <-done, l)

		_, stop = l.start("tcp", "h:1", pipes(conns), 0)
		<-conns // and never reads
		began := time.Now()
		stop()
		if took := time.Since(began); took > 2*lastWords {
			t.Errorf("it ended after %s", took)
		}
	})
}

// TestNeverReads: a receiver that accepts and never reads costs no more than the buffer of a socket, and is asked ever more rarely.
func TestNeverReads(t *testing.T) {
	server := listen(t, "127.0.0.1:0")
	conns := make(chan net.Conn, 100)
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			c.(*net.TCPConn).SetReadBuffer(4096)
			conns <- c
		}
	}()
	l := newLogs(1, 256<<10)
	l.write(50000)
	before := heap()
	d, stop := l.start("tcp", server.Addr().String(), nil, time.Second)
	for d.Status().Error == "" { // the first time-out
		l.write(1000)
		time.Sleep(20 * time.Millisecond)
	}
	grown := heap() - before
	t.Logf("the heap grew by %d bytes; %+v", grown, d.Status())
	if grown > 2<<20 {
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if s := d.Status(); !strings.Contains(s.Error, "it took nothing for 1s") || s.Sent > 20000 {
		t.Errorf("%+v", s)
	}
	stop()
	server.Close()
	for len(conns) > 0 {
		(<-conns).Close()
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestRealConnections: the receiver closes, is killed or stalls in the midst of a flood, again and again, and loses nothing.
func TestRealConnections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		end  func(net.Conn)
	}{
		{"reads no more and closes", func(c net.Conn) { c.Close() }},
		{"is reset", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := listen(t, "127.0.0.1:0")
			address := server.Addr().String()
			l := newLogs(3, 0)
			_, stop := l.start("tcp", address, nil, 0)
			defer stop()
			const all = 16000
			go func() {
				for range all / 40 {
					l.write(40)
					time.Sleep(5 * time.Millisecond)
				}
			}()
			seen := map[string]bool{}
			for round := 1; len(seen) < all; round++ {
				conn := accept(t, server)
				s := bufio.NewScanner(conn)
				last := map[string]int{}
				for n := 0; len(seen) < all && (n < 5000 || round > 1) && s.Scan(); n++ {
					var o object
					if json.Unmarshal(s.Bytes(), &o) != nil {
						continue // the last line of a connection may be torn
					}
					if next, begun := last[o.From]; begun && o.Seq != next {
						t.Fatalf("%s: record %d, want %d", o.From, o.Seq, next)
					}
					last[o.From] = o.Seq + 1
					seen[fmt.Sprint(o.From, o.Seq)] = true
				}
				c.end(conn)
			}
			t.Logf("all %d records arrived; said:\n%s", all, l.said())
		})
	}
}

// TestDatagrams: each object is a datagram, and what is too long is cut and says so.
func TestDatagrams(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	server.SetReadDeadline(time.Now().Add(time.Minute))
	l := newLogs(1, 0)
	l.write(100) // what the socket's buffer holds, as this machine may have other things to do
	l.rings[0].Append(time.Hour, ring.Info, slices.Repeat([]byte("\x01\x01\x01é"), 4000))
	d, stop := l.start("udp", server.LocalAddr().String(), nil, 0)
	defer stop()
	buf := make([]byte, 1<<16)
	for i := range 101 {
		n, _, err := server.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		o := parse(t, buf[:n])
		if buf[n-1] != '}' || o.Seq != i {
			t.Fatalf("datagram %d: %d bytes, %+v", i, n, o)
		}
		if i == 100 && (!strings.HasSuffix(o.Msg, " bytes cut)") || n > maxDatagram || n < maxDatagram*3/4) {
			t.Errorf("%d bytes, end %q", n, o.Msg[len(o.Msg)-30:])
		}
	}
	d.SetTags(map[string]string{"tag": strings.Repeat("x", maxDatagram)}) // nothing fits any more
	l.write(1)
	for d.Status().Dropped != 1 {
		time.Sleep(time.Millisecond)
	}
	if s := d.Status(); s.Sent != 101 {
		t.Errorf("%+v", s)
	}
}

// TestDatagramRefused: when nothing listens, the answer that says so is seen, and what is still in the ring comes later.
func TestDatagramRefused(t *testing.T) {
	t.Parallel()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := server.LocalAddr().String()
	server.Close()
	l := newLogs(1, 0)
	l.write(5000)
	d, stop := l.start("udp", address, nil, 0)
	defer stop()
	for d.Status().Error == "" {
		time.Sleep(time.Millisecond)
	}
	if s := d.Status(); !strings.Contains(s.Error, "refused") || s.Sent > 500 {
		t.Errorf("%+v", s)
	}
	if server, err = net.ListenPacket("udp", address); err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	n, _, err := server.ReadFrom(make([]byte, 1<<16))
	if err != nil || n == 0 {
		t.Error(n, err)
	}
}

// TestReason: what is said of a failure is the same each time, without the ports that differ.
func TestReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "write", Net: "tcp", Err: syscall.EPIPE}, "broken pipe"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "read udp 10.0.0.1:41234->10.0.0.2:53: i/o timeout", Name: "h", IsTimeout: true}}, "lookup h: no answer"},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "h", IsNotFound: true}}, "lookup h: no such host"},
		{&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, "no answer for 5s"},
		{errClosed, errClosed.Error()},
	} {
		if got := reason(c.err); got != c.want {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Endpoint{
		"tcp://host:5044/": {"tcp", "host:5044"}, "udp://127.0.0.1:12345": {"udp", "127.0.0.1:12345"}, "tcp://[fe80::1]:1/": {"tcp", "[fe80::1]:1"},
	} {
		if got, err := ParseEndpoint(in); got != want || err != nil {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "host:1", "http://h:1/", "tcp://host/", "tcp://:1/", "tcp://h:0/", "tcp://h:99999/", "tcp://h:x/", "tcp://h:%zz", "udp:///"} {
		if got, err := ParseEndpoint(in); report.KindOf(err) != report.Invalid {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

// FuzzEncode: whatever a service logs, the object is one line of JSON within its limit, and jq's.
func FuzzEncode(f *testing.F) {
	f.Add("a\nb\x00\xff<&>\u2028", "tag", 100)
	f.Add(strings.Repeat("é", 100), "x", 130)
	f.Fuzz(func(t *testing.T, msg, tag string, limit int) {
		limit = max(limit, 0) % maxDatagram
		p, ok := encode(map[string]any{Message: msg, "n": 1}, map[string]string{"tag": tag}, limit)
		if o := (map[string]any{}); json.Unmarshal(p, &o) != nil || strings.Contains(string(p), "\n") {
			t.Fatalf("%q", p)
		}
		if ok != (limit == 0 || len(p) <= limit) {
			t.Fatalf("%d bytes of %d, %v", len(p), limit, ok)
		}
	})
}

// TestJudge: jq reads what is sent as it was meant.
func TestJudge(t *testing.T) {
	t.Parallel()
	const msg = "tab\t, quote \", backslash \\, é, 🙂, <b>&, \x01, line\nfeed, \u2028"
	p, _ := encode(map[string]any{Message: msg, "clock": int64(1)<<53 - 1}, map[string]string{"server": "s03-rack07"}, 0)
	file := oracle.File(t, strings.NewReader(string(p)+"\n"))
	if got := oracle.Run(t, "jq", "-j", ".msg", file); got != msg {
		t.Errorf("jq says %q", got)
	}
	if got := oracle.Run(t, "jq", "-c", "[.server, .clock]", file); got != "[\"s03-rack07\",9007199254740991]\n" {
		t.Errorf("jq says %q", got)
	}
}

// BenchmarkTCP sends records to a receiver that only counts them.
func BenchmarkTCP(b *testing.B) {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer server.Close()
	l := newLogs(1, 64<<20)
	l.write(b.N)
	b.ResetTimer()
	_, stop := l.start("tcp", server.Addr().String(), nil, 0)
	conn, err := server.Accept()
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for s := bufio.NewScanner(conn); n < b.N && s.Scan(); n++ {
	}
	b.StopTimer()
	conn.Close()
	stop()
	if n != b.N {
		b.Errorf("%d of %d", n, b.N)
	}
}
