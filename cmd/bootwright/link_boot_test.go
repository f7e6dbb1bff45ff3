package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
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

// TestBootLinked boots two machines with two wires between them, and in each a bond of both with a VLAN on it. They talk over the
// VLAN, also when one wire is cut.
func TestBootLinked(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir, wires := t.TempDir(), [2][2]int{{freePort(t), freePort(t)}, {freePort(t), freePort(t)}} // of UDP, at both ends
	hello, configs := []int{freePort(t), freePort(t)}, map[string]string{}
	uuid := func(i int) string { return fmt.Sprintf("4c4c4544-0000-4000-8000-%012d", i) }
	for i := range hello {
		configs["/"+uuid(i)] = strings.Replace(configareatest.Worker("x"), "    hostname: x\n", fmt.Sprintf(`    hostname: node-%d
    interfaces:
      - interface: bond0
        bond: {mode: active-backup, miimon: 100, interfaces: [eth1, eth2]}
        vlans: [{vlanId: 5, addresses: [10.5.0.%d/24]}]
`, i, i+1), 1) + "---\napiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: hello\nenvironment: [WHO=node-" + fmt.Sprint(i) + "]\n"
	}
	iso := built(t, "iso", "amd64", "--extra-kernel-arg", "talos.config=http://10.0.2.2:"+serve(t, configs)+"/${uuid}",
		"--system-extension-image", serviceExtension(t, dir))
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
			_, err := vmtest.Try(t, vm.Options{Image: iso, As: vm.CDROM, Firmware: vm.BIOS, Until: regexp.MustCompile("hello: was told the end"), ExtraArgs: args})
			if err != nil {
				t.Error(err)
			}
		})
	}
	checkWires(t, hello, qmp)
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
			peer := 1 - i
			address := url.QueryEscape(fmt.Sprintf("http://10.5.0.%d:8080/", peer+1))
			if page, want := get(t, port, "/get?"+address), fmt.Sprintf(" node-%d [--loud]\n", peer); page != want {
				t.Errorf("%s, node-%d hears %q of its peer, want %q", when, i, page, want)
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

// setLink plugs the cable of a machine's card, or pulls it, by QEMU's machine protocol.
func setLink(t *testing.T, socket, card string, up bool) {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := json.NewDecoder(c)
	for _, text := range []string{"", `{"execute":"qmp_capabilities"}`, fmt.Sprintf(`{"execute":"set_link","arguments":{"name":%q,"up":%t}}`, card, up)} {
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		var a map[string]any
		if err := answers.Decode(&a); err != nil || a["error"] != nil {
			t.Fatalf("%s: %v, %v", text, a, err)
		}
	}
}
