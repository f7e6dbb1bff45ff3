package logs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/logs/ring"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
)

// receivers are what a test's machine can connect to, by network://address.
type receivers map[string]chan net.Conn

func listening(at ...string) receivers {
	r := receivers{}
	for _, a := range at {
		r[a] = make(chan net.Conn)
	}
	return r
}

func (r receivers) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c := r[network+"://"+address]
	if c == nil {
		return nil, fmt.Errorf("nothing at %s", address)
	}
	ours, theirs := net.Pipe()
	select {
	case c <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// said is a log for the tests.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) Infof(format string, args ...any) { s.Warnf(format, args...) }

func (s *said) Warnf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

// machine is a fake machine whose logs are kept and sent.
type machine struct {
	*fake.Machine
	*Logs
	config watch.Value[Config]
	said   said
	stop   func()
}

func start(t *testing.T, dial func(ctx context.Context, network, address string) (net.Conn, error)) *machine {
	m := &machine{Machine: fake.New(t, nil)}
	m.Logs = New(m.SinceBoot)
	ctx, cancel := context.WithCancel(t.Context())
	var tasks sync.WaitGroup
	tasks.Go(func() { m.ReadKernel(ctx, m) })
	tasks.Go(func() { m.Run(ctx, Deps{Config: &m.config, Log: &m.said, Dial: dial}) })
	m.stop = func() { cancel(); tasks.Wait() }
	return m
}

// next is the next object that a receiver gets.
func next(t *testing.T, r *bufio.Reader) map[string]any {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	o := map[string]any{}
	if err := json.Unmarshal([]byte(line), &o); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return o
}

// TestGuide: the samples of section 7 of the guide, field by field. The bubble's clock begins with the year 2000.
func TestGuide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := listening("tcp://host:5044", "udp://127.0.0.1:12345", "tcp://kernel:5044")
		m := start(t, at.dial)
		m.config.Set(Config{
			Services: []Destination{{URL: "tcp://host:5044/"}, {URL: "udp://127.0.0.1:12345/", Tags: map[string]string{"server": "s03-rack07", "talos-service": "over"}}},
			Kernel:   []Destination{{URL: "tcp://kernel:5044/"}},
		})
		time.Sleep(294858021)
		m.Say(6, "[talos] apply config request: immediate true, on reboot false\n")
		m.KernelSays("12,711,6252819,-;[talos] task startAllServices (1/1): waiting for 6 services\n")
		want := map[string]any{
			"msg": "[talos] apply config request: immediate true, on reboot false", "talos-level": "info", "talos-service": "machined",
			"talos-time": "2000-01-01T00:00:00.294858021Z",
		}
		if got := next(t, bufio.NewReader(<-at["tcp://host:5044"])); !reflect.DeepEqual(got, want) {
			t.Errorf("%v", got)
		}
		datagram := make([]byte, 1000)
		n, _ := (<-at["udp://127.0.0.1:12345"]).Read(datagram)
		if got := string(datagram[:n]); got != `{"msg":"[talos] apply config request: immediate true, on reboot false","server":"s03-rack07",`+
			`"talos-level":"info","talos-service":"over","talos-time":"2000-01-01T00:00:00.294858021Z"}` {
			t.Error(got)
		}
		// The machine had run for 1.5 s when the bubble began, so its clock was 6.252819 s at 00:00:04.752819.
		want = map[string]any{
			"clock": 6252819.0, "facility": "user", "msg": "[talos] task startAllServices (1/1): waiting for 6 services\n", "priority": "warning",
			"seq": 711.0, "talos-level": "warn", "talos-time": "2000-01-01T00:00:04.752819Z",
		}
		if got := next(t, bufio.NewReader(<-at["tcp://kernel:5044"])); !reflect.DeepEqual(got, want) {
			t.Errorf("%v", got)
		}
		m.stop()
	})
}

// TestFollow: the configuration changes, and destinations with it; one that only gets other tags keeps its connection.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := listening("tcp://a:1", "tcp://b:1")
		m := start(t, at.dial)
		etcd := m.Service("etcd")
		io.WriteString(etcd, "one\n")
		m.config.Set(Config{Services: []Destination{{URL: "tcp://a:1"}, {URL: "http://c"}}})
		a := bufio.NewReader(<-at["tcp://a:1"])
		if o := next(t, a); o["msg"] != "one" {
			t.Error(o)
		}
		m.config.Set(Config{Services: []Destination{{"tcp://a:1", map[string]string{"tag": "x"}}, {URL: "tcp://b:1"}}})
		b := bufio.NewReader(<-at["tcp://b:1"])
		io.WriteString(m.Service("kubelet"), "E1130 19:13:20.567737       1 x.go:1] two\n") // a service that is new
		if o := next(t, a); o["talos-service"] != "kubelet" || o["tag"] != "x" || o["talos-level"] != "error" {
			t.Error(o)
		}
		if one, two := next(t, b), next(t, b); one["msg"] != "one" || two["talos-service"] != "kubelet" || two["tag"] != nil {
			t.Error(one, two)
		}
		m.config.Set(Config{Services: []Destination{{URL: "tcp://b:1"}}})
		if _, err := a.ReadByte(); err != io.EOF {
			t.Errorf("the connection that is no longer wanted: %v", err)
		}
		synctest.Wait()
		want := []bootreport.LogDestination{{URL: "tcp://b:1", Logs: "services", State: "connected", Sent: 2}}
		if got := m.Report().Destinations; !reflect.DeepEqual(got, want) {
			t.Errorf("%+v", got)
		}
		m.stop()
		if got := m.Report().Destinations; got != nil || len(m.said.lines) != 1 {
			t.Errorf("%+v, said %q", got, m.said.lines)
		}
	})
}

func TestReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := start(t, listening().dial)
		m.KernelSays("6,2,100,-;x\n")
		m.WriteFile("/dev/kmsg", []byte("<12>from a program\n"), 0)
		m.Say(4, "careful")
		m.config.Set(Config{Kernel: []Destination{{URL: "udp://a:1"}, {URL: "udp://a"}}})
		time.Sleep(100 * time.Millisecond)
		r := m.Report()
		want := []bootreport.LogDestination{
			{URL: "udp://a", Logs: "kernel", State: "refused", Error: "log destination udp://a: use a host and a port, such as udp://host:5044/"},
			{URL: "udp://a:1", Logs: "kernel", State: "waiting", Error: "nothing at a:1"},
		}
		if !reflect.DeepEqual(r.Destinations, want) {
			t.Errorf("%+v", r.Destinations)
		}
		if k, s := r.Rings[0], r.Rings[1]; len(r.Rings) != 2 || r.KernelLost != 2 ||
			k.Name != "kernel" || k.Lines != 1 || s.Name != "machined" || s.Lines != 1 || s.Bytes == 0 {
			t.Errorf("%+v", r)
		}
		m.stop()
	})
}

// TestClock: what was logged before the clock was set has its right time afterwards.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		offset := time.Duration(0)
		began := time.Now()
		l := New(func() time.Duration { return time.Since(began) + offset })
		l.Say(6, "early")
		rec, _, _ := l.Ring(Init).Cursor(0).Next()
		if got := l.Time(rec); !got.Equal(began) {
			t.Error(got)
		}
		time.Sleep(time.Hour)
		offset = -20 * time.Minute // as if the wall clock had been set forward by that
		if got := l.Time(rec); !got.Equal(began.Add(20 * time.Minute)) {
			t.Error(got)
		}
	})
}

// TestServices: streams of one service do not mix within a line.
func TestServices(t *testing.T) {
	t.Parallel()
	l := New(func() time.Duration { return 0 })
	out, err := l.Service("etcd"), l.Service("etcd")
	io.WriteString(out, "out ")
	io.WriteString(err, "err\n")
	io.WriteString(out, "put\n")
	l.Say(6, "two\nlines")
	var got []string
	for _, name := range l.Services() {
		c := l.Ring(name).Cursor(0)
		for rec, _, ok := c.Next(); ok; rec, _, ok = c.Next() {
			got = append(got, name+": "+string(rec.Text))
		}
	}
	if want := []string{"etcd: err", "etcd: out put", "machined: two", "machined: lines"}; !slices.Equal(got, want) || l.Ring("x") != nil {
		t.Errorf("%q", got)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	c, err := config.Load("x", []byte(`version: v1alpha1
machine:
  logging:
    destinations:
      - endpoint: "udp://127.0.0.1:12345/"
        format: "json_lines"
        extraTags:
          server: s03-rack07
      - endpoint: "tcp://host:5044/"
        format: "json_lines"
---
apiVersion: v1alpha1
kind: KmsgLogConfig
name: remote-log
url: tcp://host:5044/
`))
	if err != nil {
		t.Fatal(err)
	}
	args := cmdline.Parse("quiet talos.logging.kernel=tcp://arg:1/")
	got, want := Configure(c, args), Config{
		Services: []Destination{{"udp://127.0.0.1:12345/", map[string]string{"server": "s03-rack07"}}, {URL: "tcp://host:5044/"}},
		Kernel:   []Destination{{URL: "tcp://arg:1/"}, {URL: "tcp://host:5044/"}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	if got := Configure(nil, args); !reflect.DeepEqual(got, Config{Kernel: want.Kernel[:1]}) {
		t.Errorf("%+v", got)
	}
}

// BenchmarkFields is what a line costs on its way out.
func BenchmarkFields(b *testing.B) {
	l := New(func() time.Duration { return 0 })
	fields := l.serviceFields("etcd")
	rec := ring.Record{Text: []byte(strings.Repeat("text ", 20)), Level: ring.Warn}
	for b.Loop() {
		if _, err := json.Marshal(fields(rec)); err != nil {
			b.Fatal(err)
		}
	}
}
