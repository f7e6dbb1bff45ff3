package main

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootLinked boots two machines with two wires between them, and in each a bond of both with a VLAN on it, and a WireGuard
// tunnel through the VLAN. They talk over both, also when one wire is cut.
func TestBootLinked(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir, wires := t.TempDir(), [2][2]int{{freePort(t), freePort(t)}, {freePort(t), freePort(t)}} // of UDP, at both ends
	hello, configs := []int{freePort(t), freePort(t)}, map[string]string{}
	tunnels := tunnels(t)
	uuid := func(i int) string { return fmt.Sprintf("4c4c4544-0000-4000-8000-%012d", i) }
	for i := range hello {
		configs["/"+uuid(i)] = strings.Replace(configareatest.Worker("x"), "    hostname: x\n", fmt.Sprintf(`    hostname: node-%d
    interfaces:
      - interface: bond0
        bond: {mode: active-backup, miimon: 100, interfaces: [eth1, eth2]}
        vlans: [{vlanId: 5, addresses: [10.5.0.%d/24]}]
%s`, i, i+1, tunnels[i]), 1) + "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: hello\nenvironment: [WHO=node-" + fmt.Sprint(i) + "]\n"
	}
	machine := withoutLoader(t, "--system-extension-image", serviceExtension(t, dir))
	machine.Append += " talos.config=http://10.0.2.2:" + serve(t, configs) + "/${uuid}"
	machine.Until = regexp.MustCompile("hello: was told the end")
	qmp := func(i int) string { return filepath.Join(dir, fmt.Sprint("qmp", i)) }
	var machines sync.WaitGroup
	for i, port := range hello {
		args := []string{"-uuid", uuid(i), "-qmp", "unix:" + qmp(i) + ",server=on,wait=off",
			"-netdev", fmt.Sprintf("user,id=n0,hostfwd=tcp:127.0.0.1:%d-:8080", port), "-device", "virtio-net-pci,netdev=n0"}
		for n, wire := range wires {
			args = append(args, "-netdev", fmt.Sprintf("socket,id=w%d,udp=127.0.0.1:%d,localaddr=127.0.0.1:%d", n, wire[1-i], wire[i]),
				"-device", fmt.Sprintf("virtio-net-pci,netdev=w%d,mac=52:54:00:00:%02d:%02d", n, i, n))
		}
		machines.Go(func() {
			one := machine
			one.ExtraArgs = args
			if _, err := vmtest.Try(t, one); err != nil {
				t.Error(err)
			}
		})
	}
	for _, port := range hello { // both are up before one asks the other
		get(t, port, "/")
	}
	checkWires(t, hello, qmp)
	checkTunnels(t, hello)
	for _, port := range hello {
		tell(port, "/end")
	}
	machines.Wait()
}

// checkWires lets the machines, by the ports of their services, talk with both wires and with either.
func checkWires(t *testing.T, hello []int, qmp func(int) string) {
	t.Helper()
	talk := func(when string) {
		for i, port := range hello {
			for _, network := range []int{5, 6} { // the VLAN and the tunnel
				peer := 1 - i
				address := url.QueryEscape(fmt.Sprintf("http://10.%d.0.%d:8080/", network, peer+1))
				if page, want := get(t, port, "/get?"+address), fmt.Sprintf(" node-%d [--loud]\n", peer); page != want {
					t.Errorf("%s, in the network %d node-%d hears %q of its peer, want %q", when, network, i, page, want)
				}
			}
		}
	}
	talk("with both wires")
	for _, wire := range []string{"w0", "w1"} {
		for i := range hello {
			setLink(t, qmp(i), wire, false)
		}
		time.Sleep(time.Second)
		talk("without wire " + wire)
		for i := range hello {
			if page := get(t, hello[i], "/host/proc/net/bonding/bond0"); strings.Count(page, "MII Status: down") != 1 {
				t.Errorf("node-%d sees, without %s: %s", i, wire, page)
			}
			setLink(t, qmp(i), wire, true)
		}
		time.Sleep(time.Second)
	}
}

// tunnels are the configurations of both ends of a WireGuard tunnel; one knows the other by name.
func tunnels(t *testing.T) (ends [2]string) {
	t.Helper()
	var keys [2]*ecdh.PrivateKey
	for i := range keys {
		var err error
		if keys[i], err = ecdh.X25519().GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	for i, endpoint := range []string{"peer.example.org", "10.5.0.1"} {
		peer := 1 - i
		ends[i] = fmt.Sprintf(`      - interface: wg0
        addresses: [10.6.0.%d/24]
        wireguard:
          privateKey: %s
          listenPort: %d
          peers: [{publicKey: %s, endpoint: "%s:%d", allowedIPs: [10.6.0.%d/32]}]
    extraHostEntries: [{ip: 10.5.0.%d, aliases: [peer.example.org]}]
`, i+1, base64.StdEncoding.EncodeToString(keys[i].Bytes()), 51820+i,
			base64.StdEncoding.EncodeToString(keys[peer].PublicKey().Bytes()), endpoint, 51820+peer, peer+1, peer+1)
	}
	return ends
}

// checkTunnels looks at what the machines report of their tunnel, which packets have been through.
func checkTunnels(t *testing.T, hello []int) {
	t.Helper()
	var tunnels [2]*bootreport.WireGuard
	for i, port := range hello {
		report := guest{t, port}.when("the handshake is reported", func(r *bootreport.Report) bool {
			at := slices.IndexFunc(r.Network.Links, func(l bootreport.Link) bool { return l.Name == "wg0" && l.WireGuard != nil })
			if at < 0 {
				return false
			}
			tunnels[i] = r.Network.Links[at].WireGuard
			return len(tunnels[i].Peers) == 1 && tunnels[i].Peers[0].Handshake
		})
		if len(report.Network.Faults) > 0 {
			t.Errorf("node-%d has faults: %q", i, report.Network.Faults)
		}
	}
	for i, tunnel := range tunnels {
		if tunnel == nil || tunnels[1-i] == nil {
			return // and it has been said
		}
		want := bootreport.WireGuardPeer{PublicKey: tunnels[1-i].PublicKey, Endpoint: fmt.Sprintf("10.5.0.%d:%d", 2-i, 51821-i), Handshake: true}
		if len(tunnel.Peers) != 1 || tunnel.Peers[0] != want || tunnel.ListenPort != 51820+i {
			t.Errorf("the tunnel of node-%d: %+v, want the peer %+v", i, tunnel, want)
		}
	}
}

// setLink plugs the cable of a machine's card, or pulls it.
func setLink(t *testing.T, socket, card string, up bool) {
	t.Helper()
	if err := tellQEMU(socket, "set_link", map[string]any{"name": card, "up": up}); err != nil {
		t.Fatal(err)
	}
}

// tellQEMU has QEMU do a command of its machine protocol.
func tellQEMU(socket, command string, arguments map[string]any) error {
	c, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	answers, requests := json.NewDecoder(c), json.NewEncoder(c)
	for i, request := range []map[string]any{nil, {"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}} {
		if i > 0 { // QEMU speaks first
			if err := requests.Encode(request); err != nil {
				return err
			}
		}
		for answer := (map[string]any{"event": ""}); answer["event"] != nil; {
			answer = nil
			if err := answers.Decode(&answer); err != nil {
				return err
			}
			if answer["error"] != nil {
				return fmt.Errorf("%v: %v", request, answer["error"])
			}
		}
	}
	return nil
}
