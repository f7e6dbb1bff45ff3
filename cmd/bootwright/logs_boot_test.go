package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// receiver keeps the JSON objects that come in.
type receiver struct {
	mu   sync.Mutex
	seen []map[string]any
	bad  []string
}

func (r *receiver) take(line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		r.bad = append(r.bad, fmt.Sprintf("%v: %q", err, line))
		return
	}
	r.seen = append(r.seen, m)
}

func (r *receiver) listenTCP(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					r.take(lines.Bytes())
				}
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (r *receiver) listenUDP(t *testing.T) string {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		p := make([]byte, 65536)
		for {
			n, _, err := c.ReadFrom(p)
			if err != nil {
				return
			}
			r.take(p[:n])
		}
	}()
	_, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return port
}

// field is a field of a log line, and a pattern of its value.
type field struct{ name, value string }

// checkLogs compares what came with the fields of the guide's section 7, and more where tags has some.
func checkLogs(t *testing.T, services, kernel *receiver, tags ...field) {
	t.Helper()
	services.check(t, "services", 10, "machine is ready", append(tags,
		field{"msg", ".*"}, field{"talos-level", "info|warn|error|debug"}, field{"talos-service", "[a-z-]+"}, field{"talos-time", ".+Z"})...)
	kernel.check(t, "kernel", 100, "Linux version ",
		field{"clock", `[0-9.e+]+`}, field{"facility", "kern|user|daemon"}, field{"msg", ".*\n"}, field{"priority", "[a-z]+"}, field{"seq", `[0-9.e+]+`},
		field{"talos-level", "info|warn|error|debug"}, field{"talos-time", ".+Z"})
}

// check wants at least so many lines, one with wanted in it, and in each these fields and no others.
func (r *receiver) check(t *testing.T, what string, atLeast int, wanted string, fields ...field) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) < atLeast || len(r.bad) > 0 {
		t.Errorf("%s: %d lines came, not JSON: %q", what, len(r.seen), r.bad)
	}
	found := false
	for _, m := range r.seen {
		found = found || strings.Contains(fmt.Sprint(m["msg"]), wanted)
		if len(m) != len(fields) {
			t.Fatalf("%s: %v", what, m)
		}
		for _, f := range fields {
			if got := fmt.Sprint(m[f.name]); !regexp.MustCompile("^(?s:" + f.value + ")$").MatchString(got) {
				t.Fatalf("%s: %s is %q in %v", what, f.name, got, m)
			}
		}
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(m["talos-time"])); err != nil || time.Since(at).Abs() > time.Hour {
			t.Fatalf("%s: the time is %v", what, m["talos-time"])
		}
	}
	if !found {
		t.Errorf("%s: nothing says %q", what, wanted)
	}
}

// counted is how far the lines come that count from 1 on after prefix, without one missing; lines may come twice.
func (r *receiver) counted(prefix string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	have := map[string]bool{}
	for _, m := range r.seen {
		have[fmt.Sprint(m["msg"])] = true
	}
	n := 0
	for have[prefix+strconv.Itoa(n+1)] {
		n++
	}
	return n
}

// fragile is a receiver by TCP that can be away.
type fragile struct {
	receiver
	address  string
	listener net.Listener
	conns    []net.Conn // guarded by receiver.mu
}

// come listens, at the address of the last time if there was one.
func (f *fragile) come(t *testing.T) {
	t.Helper()
	var err error
	if f.listener, err = net.Listen("tcp", cmp.Or(f.address, "127.0.0.1:0")); err != nil {
		t.Fatal(err)
	}
	f.address = f.listener.Addr().String()
	go func(l net.Listener) {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			go func() {
				for lines := bufio.NewReader(c); ; {
					line, err := lines.ReadBytes('\n')
					if err != nil { // what is torn comes again
						return
					}
					f.take(line)
				}
			}()
		}
	}(f.listener)
}

// leave stops listening and breaks what is connected.
func (f *fragile) leave() {
	f.listener.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
	f.conns = nil
}

func (f *fragile) port() string {
	_, port, _ := net.SplitHostPort(f.address)
	return port
}
