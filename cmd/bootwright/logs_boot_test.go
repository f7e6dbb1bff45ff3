package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
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

// TestBootLogs: a machine sends init's log by TCP and the kernel's by UDP, with the fields of the guide's section 7.
func TestBootLogs(t *testing.T) {
	vmtest.Need(t)
	var services, kernel receiver
	tcp, udp := services.listenTCP(t), kernel.listenUDP(t)
	text := strings.Replace(configareatest.Worker("logging"), "machine:\n",
		"machine:\n  time: {disabled: true}\n  logging:\n    destinations:\n      - endpoint: tcp://10.0.2.2:"+tcp+"/\n        format: json_lines\n        extraTags: {server: s03-rack07}\n", 1) +
		"---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: remote-log\nurl: udp://10.0.2.2:" + udp + "/\n"
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	vmtest.Boot(t, vm.Options{
		Image: built(t, "iso", "amd64", "--config", file), As: vm.CDROM, Firmware: vm.BIOS, ExtraArgs: nic("n0"),
		Until: regexp.MustCompile(`"logs":"kernel","state":"connected","sent":[0-9]{3,}.*"logs":"services","state":"connected","sent":[0-9]{2,}`),
	})
	type field struct {
		name  string
		value string // a pattern
	}
	check := func(what string, r *receiver, atLeast int, wanted string, fields ...field) {
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
	check("services", &services, 10, "machine is ready",
		field{"msg", ".+"}, field{"talos-level", "info|warn|error|debug"}, field{"talos-service", "[a-z-]+"}, field{"talos-time", ".+Z"}, field{"server", "s03-rack07"})
	check("kernel", &kernel, 100, "Linux version ",
		field{"clock", `[0-9.e+]+`}, field{"facility", "kern|user|daemon"}, field{"msg", ".*\n"}, field{"priority", "[a-z]+"}, field{"seq", `[0-9.e+]+`},
		field{"talos-level", "info|warn|error|debug"}, field{"talos-time", ".+Z"})
}
