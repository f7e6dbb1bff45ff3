package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/linux"
	"github.com/bootwright/bootwright/initramfs/pid1/network/plan"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// inside is set where the test runs in the namespace of the machine.
const inside = "BOOTWRIGHT_TEST_NAMESPACE"

// TestNamespaces tries the task on the kernel of this computer, against dnsmasq in another network namespace. The test
// calls itself in a namespace of its own, which ends with it, so that it needs to be root.
func TestNamespaces(t *testing.T) {
	if os.Getenv(inside) != "" {
		machineInside(t)
		return
	}
	for _, tool := range []string{"ip", "dnsmasq", "unshare", "nsenter"} {
		oracle.Need(t, tool)
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED, NOT PASSED: network namespaces need root")
	}
	outer, machine := namespace(t), namespace(t)
	in := func(pid string, args ...string) {
		oracle.Run(t, "nsenter", append([]string{"-t", pid, "-n"}, args...)...)
	}
	in(outer, "ip", "link", "add", "out0", "type", "veth", "peer", "name", "eth0", "netns", machine)
	in(outer, "ip", "address", "add", "10.77.0.1/24", "dev", "out0")
	in(outer, "ip", "address", "add", "fd77::1/64", "dev", "out0", "nodad")
	in(outer, "ip", "link", "set", "out0", "up")
	in(outer, "ip", "link", "set", "lo", "up")
	start(t, oracle.Need(t, "nsenter"), "-t", outer, "-n", oracle.Need(t, "dnsmasq"), "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
		"--interface=out0", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--dhcp-authoritative", "--pid-file=",
		"--dhcp-range=10.77.0.50,10.77.0.59,255.255.255.0,2m", "--enable-ra", "--dhcp-range=fd77::50,fd77::59,slaac,64,2m", "--dhcp-option=option:router,10.77.0.1",
		"--dhcp-option=option:dns-server,10.77.0.53", "--dhcp-option=option:ntp-server,10.77.0.5", "--dhcp-option=option:domain-search,a.example.org",
		"--dhcp-option=option:mtu,1400", "--domain=example.org")
	ownSys := `mount -t sysfs sysfs /sys && exec "$0" -test.run='^TestNamespaces$' -test.v` // /sys shows the namespace that mounts it
	cmd := exec.Command(oracle.Need(t, "nsenter"), "-t", machine, "-n", oracle.Need(t, "unshare"), "-m", "sh", "-c", ownSys, os.Args[0])
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// namespace is the process that holds a network namespace.
func namespace(t *testing.T) (pid string) {
	t.Helper()
	p := start(t, oracle.Need(t, "unshare"), "-n", "sleep", "600")
	own, _ := os.Readlink("/proc/self/ns/net")
	for range 500 {
		if its, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.Pid)); err == nil && its != own {
			return fmt.Sprint(p.Pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("unshare makes no namespace")
	return ""
}

func start(t *testing.T, name string, args ...string) *os.Process {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd.Process
}

// mixed is a machine whose network is real and whose files are not.
type mixed struct {
	kernel.Files
	kernel.Network
	kernel.Entropy
}

type testLog struct{ t *testing.T }

func (l testLog) Infof(format string, args ...any) { l.t.Logf(format, args...) }
func (l testLog) Warnf(format string, args ...any) { l.t.Logf("warning: "+format, args...) }

// node is the task and what it shares.
type node struct {
	t        *testing.T
	m        Machine
	config   watch.Value[*v1alpha1.Network]
	platform watch.Value[plan.Platformed]
	status   watch.Value[Status]
}

func newNode(t *testing.T, m Machine) *node {
	n := &node{t: t, m: m}
	task := New(Deps{Machine: m, Log: testLog{t}, Hostname: "nameless", Config: &n.config, Platform: &n.platform, Status: &n.status, Spawn: func(f func()) { go f() }})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := task.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return n
}

// use gives the node a configuration, machine.network, and waits until the report has all of the texts and none that begin
// with "!".
func (n *node) use(text string, want ...string) {
	n.t.Helper()
	n.config.Set(configuration(n.t, text))
	n.await(want...)
}

func configuration(t *testing.T, text string) *v1alpha1.Network {
	t.Helper()
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine:\n  network:\n    "+strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")))
	if err != nil {
		t.Fatal(err)
	}
	return &c.Main().Machine.Network
}

func (n *node) await(want ...string) {
	n.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	s, err := n.status.Wait(ctx, func(s Status) bool {
		text := reported(s)
		for _, w := range want {
			if not, absent := strings.CutPrefix(w, "!"); strings.Contains(text, not) == absent {
				return false
			}
		}
		return true
	})
	if err != nil {
		n.t.Fatalf("%v: %s does not have %q", err, reported(s), want)
	}
}

func reported(s Status) string {
	p, _ := json.Marshal(s.Report)
	return string(p)
}

// shown checks what ip(8) says.
func (n *node) shown(command string, want ...string) {
	n.t.Helper()
	text := oracle.Run(n.t, "ip", strings.Fields(command)...)
	for _, w := range want {
		if not, absent := strings.CutPrefix(w, "!"); strings.Contains(text, not) == absent {
			n.t.Errorf("ip %s shows\n%s, want %q", command, text, w)
		}
	}
}

// reaches checks that packets get to the server and back: a port where nobody listens refuses.
func (n *node) reaches() {
	n.t.Helper()
	conn, err := net.DialTimeout("tcp", "10.77.0.1:9", 10*time.Second)
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		n.t.Errorf("the server is not reached: %v", err)
	}
}

// leased4 is in a report as soon as a link has a leased address.
const leased4 = `/24","origin":"dhcp"}`

func machineInside(t *testing.T) {
	files := fake.New(t, map[string]string{"proc/sys/kernel/hostname": "", "proc/sys/kernel/domainname": "", "etc/": ""})
	n := newNode(t, mixed{files, linux.Machine{}, linux.Machine{}})

	n.use("interfaces: [{interface: eth0, dhcp: true, dhcpOptions: {routeMetric: 77}}]", "10.77.0.5", leased4, "10.77.0.53")
	n.shown("address show eth0", "10.77.0.5", "mtu 1400", "UP")
	n.shown("route", "default via 10.77.0.1 dev eth0", "metric 77")
	n.reaches()
	if p, _ := files.ReadFile("/etc/resolv.conf"); string(p) != "nameserver 10.77.0.53\nsearch a.example.org\n" {
		t.Errorf("resolv.conf: %s", p)
	}
	s, _ := n.status.Get()
	if got := fmt.Sprint(s.Plan.NTP.Values, s.Plan.Domain.Values); got != "[10.77.0.5] [example.org]" {
		t.Errorf("NTP servers and domain %s", got)
	}

	n.use("interfaces: [{interface: eth0, addresses: [10.77.0.9/24], routes: [{network: 10.99.0.0/16, gateway: 10.77.0.1}]}]", "10.77.0.9/24", "!10.77.0.5")
	n.shown("address show eth0", "10.77.0.9/24", "!10.77.0.5")
	n.shown("route", "10.99.0.0/16 via 10.77.0.1", "!default")
	n.reaches()
	n.use("interfaces: [{interface: eth0, addresses: [10.77.0.10/24], mtu: 1300}]", "10.77.0.10/24", "!10.77.0.9/24", "!10.99.0.0/16", `"mtu":1300`)
	n.shown("address show eth0", "10.77.0.10/24", "!10.77.0.9/24", "mtu 1300")
	n.reaches()

	n.use("interfaces: [{interface: br0, bridge: {interfaces: [eth0]}, dhcp: true, mtu: 1500}]", `"name":"br0","kind":"bridge"`, `"master":"br0"`, "10.77.0.5", leased4, "!10.77.0.10/24")
	n.shown("address show br0", "10.77.0.5")
	n.shown("link show eth0", "master br0")
	n.reaches()
	n.use("interfaces: [{interface: eth0, dhcp: true, dhcpOptions: {ipv4: false, ipv6: true}}]", "!br0", "fd77::5", `/128","origin":"dhcp"}`, "!10.77.0.5")
	n.shown("link", "!br0")
	n.shown("address show eth0", "fd77::5", "dynamic") // the latter is of SLAAC

	n.use("interfaces: [{interface: bond7, bond: {mode: active-backup, interfaces: [eth0]}, addresses: [10.77.0.11/24]}]", "bond7") // or why not
	s, _ = n.status.Get()
	t.Logf("a bond on this kernel: %q", s.Report.Faults)
}
