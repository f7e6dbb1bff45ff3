package network

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

const tunnel = `interfaces:
  - interface: eth0
    ignore: true
  - interface: wg0
    wireguard:
      privateKey: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
      peers: [{publicKey: AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, endpoint: "peer.example.org:51820"}]`

// TestEndpoints: a peer is there before its name is known, is told when it is, and is not when the configuration lacks it.
func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := fake.New(t, map[string]string{"proc/sys/kernel/hostname": "", "proc/sys/kernel/domainname": "", "etc/": ""})
		m.PlugLink(kernel.Link{Name: "eth0", MAC: "52:54:00:00:00:01", Ethernet: true, Carrier: true})
		n := newNode(t, m)
		n.use(tunnel, `"peers":[{"publicKey":"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","handshake":false}]`, "the endpoint peer.example.org: lookup peer.example.org: no such host")
		m.SetHost("peer.example.org", netip.MustParseAddr("10.0.0.2"))
		n.await(`"endpoint":"10.0.0.2:51820","handshake":true`, "!no such host")
		time.Sleep(time.Hour)
		synctest.Wait()
		if told := strings.Count(strings.Join(m.Did(), "\n"), "wireguard wg0 {"); told != 2 {
			t.Errorf("the link was told %d times what it is, want twice: %q", told, m.Did())
		}
		n.use("interfaces: [{interface: eth0, ignore: true}]", "!wg0")
		if s, _ := n.status.Get(); strings.Contains(reported(s), "AQAAAAAAA") || len(s.Report.Faults) > 0 {
			t.Errorf("reported: %s", reported(s))
		}
	})
}
