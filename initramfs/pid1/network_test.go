package pid1

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// online gives a machine a network card, and a DHCP server unless silent.
func online(t *testing.T, m *fake.Machine, silent bool) {
	m.PlugLink(kernel.Link{Name: "lo"}, kernel.Link{Name: "eth0", MAC: "52:54:00:00:00:01", Ethernet: true, MTU: 1500, Carrier: true})
	m.Contents["proc"]["sys/kernel/hostname"] = "(none)\n"
	m.Contents["proc"]["sys/kernel/domainname"] = ""
	if silent {
		return
	}
	m.DHCP = func(_ string, packet []byte) []byte {
		q, err := dhcpv4.FromBytes(packet)
		must(t, err)
		kind := dhcpv4.MessageTypeAck
		if q.MessageType() == dhcpv4.MessageTypeDiscover {
			kind = dhcpv4.MessageTypeOffer
		}
		a, err := dhcpv4.NewReplyFromRequest(q, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(net.IPv4(10, 0, 0, 2)), dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
			dhcpv4.WithLeaseTime(3600), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 0, 0, 1))), dhcpv4.WithRouter(net.IPv4(10, 0, 0, 1)),
			dhcpv4.WithOption(dhcpv4.OptHostName("leased")), dhcpv4.WithOption(dhcpv4.OptDomainName("example.org")))
		must(t, err)
		return a.ToBytes()
	}
}

// web answers every request with the text that now gives, or with 503 where that is "".
func web(now func(path string) string) func(net.Conn) {
	return func(conn net.Conn) {
		defer conn.Close()
		q, err := http.ReadRequest(bufio.NewReader(conn))
		if err != nil {
			return
		}
		status, text := "200 OK", now(q.URL.Path)
		if text == "" {
			status = "503 Service Unavailable"
		}
		conn.Write([]byte("HTTP/1.1 " + status + "\r\nConnection: close\r\n\r\n" + text))
	}
}

// TestURL: the machine gets an address, then its configuration, and then its name, before it is ready.
func TestURL(t *testing.T) {
	m := bubble(t, good+" talos.config=http://10.0.0.9/${uuid}?s=secret", func(t *testing.T, m *fake.Machine) {
		online(t, m, false)
		m.Servers = map[string]func(net.Conn){"10.0.0.9:80": web(func(path string) string {
			if path != "/u-u-i-d" {
				t.Errorf("asked for %s", path)
			}
			return configareatest.Worker("configured")
		})}
	}, func(t *testing.T, m *fake.Machine) {
		if hosts, err := m.ReadFile("/etc/hosts"); err != nil || !strings.Contains(string(hosts), "10.0.0.2 configured.example.org configured\n") {
			t.Errorf("/etc/hosts: %s, %v", hosts, err)
		}
	})
	r := reportOf(t, m)
	if r.Config.Source != "talos.config" || r.Config.Origin != "http://10.0.0.9/u-u-i-d?…" || len(r.Config.Documents) != 1 || r.Config.Waiting != "" || len(r.Errors) > 0 {
		t.Errorf("%+v, errors %+v", r.Config, r.Errors)
	}
	if r.Hostname != "configured" || r.Network.Domain == nil || len(r.Network.Leases) != 1 || r.Network.Leases[0].Address != "10.0.0.2/24" || r.ReadyMS > 5000 {
		t.Errorf("%s %+v, ready after %d ms", r.Hostname, r.Network, r.ReadyMS)
	}
	if strings.Contains(m.Shown(""), "s=secret") {
		t.Errorf("a secret is shown:\n%s", m.Shown(""))
	}
}

// TestURLLater: a machine whose server is away is ready without its configuration, says so, and takes it when it comes.
func TestURLLater(t *testing.T) {
	var text atomic.Value
	text.Store("")
	m := bubble(t, good+" talos.config=http://10.0.0.9/c", func(t *testing.T, m *fake.Machine) {
		online(t, m, false)
		m.Servers = map[string]func(net.Conn){"10.0.0.9:80": web(func(string) string { return text.Load().(string) })}
	}, func(t *testing.T, m *fake.Machine) {
		wait(25 * time.Second)
		r := reportOf(t, m)
		if want := `http://10.0.0.9/c: the server answers "503 Service Unavailable"`; r.ReadyMS == 0 || r.Config.Waiting != want || len(r.Config.Documents) > 0 {
			t.Errorf("%+v, ready after %d ms", r.Config, r.ReadyMS)
		}
		if r.Hostname != "leased" {
			t.Errorf("host name %s", r.Hostname)
		}
		text.Store(configareatest.Worker("late"))
		wait(2 * time.Minute)
	})
	if r := reportOf(t, m); r.Hostname != "late" || r.Config.Waiting != "" || len(r.Config.Documents) != 1 {
		t.Errorf("%s %+v", r.Hostname, r.Config)
	}
}

// TestSilentDHCP: nobody waits for a lease who does not need one, and who does waits no longer than for the configuration.
func TestSilentDHCP(t *testing.T) {
	for arguments, limit := range map[string]int64{good: 3000, good + " talos.config=http://10.0.0.9/c": 33000} {
		m := bubble(t, arguments, func(t *testing.T, m *fake.Machine) { online(t, m, true) }, func(t *testing.T, m *fake.Machine) { wait(time.Minute) })
		r := reportOf(t, m)
		if r.ReadyMS == 0 || r.ReadyMS > limit || len(r.Network.Leases) != 1 || r.Network.Leases[0].Fault != "no server answers" {
			t.Errorf("%s: ready after %d ms, %+v", arguments, r.ReadyMS, r.Network.Leases)
		}
	}
}

// TestStatic: the report of a machine with a static address in its image has it.
func TestStatic(t *testing.T) {
	config := strings.Replace(configareatest.Worker("static"), "    hostname: static\n",
		"    hostname: static.example.org\n    interfaces: [{interface: eth0, addresses: [10.1.0.2/24], routes: [{gateway: 10.1.0.1}]}, {interface: eth1, dhcp: true}]\n", 1)
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) {
		online(t, m, true)
		must(t, m.MkdirAll("/.extra/credentials", 0o755))
		must(t, m.WriteFile("/"+configarea.Path, []byte(area(t, map[string]string{"default": config})), 0o400))
	}, func(t *testing.T, m *fake.Machine) {
		r := reportOf(t, m)
		if l := r.Network.Links; len(l) != 1 || len(l[0].Addresses) != 1 || l[0].Addresses[0] != (bootreport.Address{Address: "10.1.0.2/24", Origin: "configuration"}) {
			t.Errorf("%+v", l)
		}
		if l := r.Network.Leases; len(l) != 1 || l[0].Fault != "there is no such link" {
			t.Errorf("%+v", l)
		}
		m.PlugLink(kernel.Link{Name: "eth1", MAC: "52:54:00:00:00:02", Ethernet: true, MTU: 1500, Carrier: true})
		wait(10 * time.Second)
	})
	if r := reportOf(t, m); r.Hostname != "static" || len(r.Network.Links) != 2 || !r.Network.Links[1].Up || r.Network.Leases[0].Fault != "no server answers" {
		t.Errorf("%s %+v", r.Hostname, r.Network)
	}
}
