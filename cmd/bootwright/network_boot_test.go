package main

import (
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// nic is a network card on QEMU's own network, where the host is 10.0.2.2.
func nic(id string) []string {
	return []string{"-netdev", "user,id=" + id, "-device", "virtio-net-pci,netdev=" + id}
}

// serve offers configurations by path to machines of QEMU, and returns the port.
func serve(t *testing.T, configs map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := configs[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(text))
	})}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

const machineUUID = "4c4c4544-0000-4000-8000-000000000007"

// TestBootURL boots an ISO whose machine configuration is at a URL, over DHCP.
func TestBootURL(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	port := serve(t, map[string]string{"/" + machineUUID + ".yaml": configareatest.Worker("from-http")})
	iso := built(t, "iso", "amd64", "--extra-kernel-arg", "talos.config=http://10.0.2.2:"+port+"/${uuid}.yaml?token=secret")
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		console := vmtest.Boot(t, vm.Options{Image: iso, As: vm.CDROM, Firmware: firmware, ExtraArgs: append(nic("n0"), "-uuid", machineUUID)})
		r := vmtest.Report(t, console)
		if want := "http://10.0.2.2:" + port + "/" + machineUUID + ".yaml?…"; r.Config.Source != bootreport.SourceURL || r.Config.Origin != want || len(r.Config.Documents) != 1 {
			t.Errorf("%s: configuration %+v, want one from %s", firmware, r.Config, want)
		}
		checkOnline(t, r, "eth0")
		if l := r.Network.Links[0]; l.Driver != "virtio_net" || !strings.HasPrefix(l.BusPath, "0000:00:") || !strings.HasPrefix(l.MAC, "52:54:00:") {
			t.Errorf("%s: %+v", firmware, l)
		}
		if s := r.Network.Hostname; r.Hostname != "from-http" || s == nil || s.Origin != "configuration" || len(r.Errors) > 0 {
			t.Errorf("%s: host name %q %+v, errors %+v", firmware, r.Hostname, s, r.Errors)
		}
		for line := range strings.Lines(console) { // the kernel shows its whole command line
			ours := strings.Contains(line, "bootwright: ") || strings.Contains(line, bootreport.Prefix)
			if ours && strings.Contains(line, "token=secret") || strings.Contains(line, configareatest.Token) {
				t.Errorf("%s: a secret is on the console: %s", firmware, line)
			}
		}
	}
}

// checkOnline checks that a link has what QEMU's DHCP server gives.
func checkOnline(t *testing.T, r *bootreport.Report, link string) {
	t.Helper()
	for _, l := range r.Network.Links {
		if l.Name == link && l.Up && l.Carrier && len(l.Addresses) > 0 && l.Addresses[0] == (bootreport.Address{Address: "10.0.2.15/24", Origin: "dhcp"}) {
			return
		}
	}
	t.Errorf("%s has no lease: %+v", link, r.Network)
}

// TestBootSeed boots beside a NoCloud seed and an ISO that is none.
func TestBootSeed(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	seed := &tree.Tree{}
	seed.File("user-data", 0o644, blob.String(strings.Replace(configareatest.Worker("x"), "    hostname: x\n", "    nameservers: [10.0.2.3]\n", 1)))
	seed.File("meta-data", 0o644, blob.String("instance-id: i-1\nlocal-hostname: from-seed\n"))
	image, err := iso9660.Format(seed, iso9660.Options{VolumeID: "cidata"})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "seed.iso")
	if err := blob.WriteFile(t.Context(), file, image, blob.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	drive := []string{"-drive", "if=none,id=seed,format=raw,readonly=on,file=" + file, "-device", "virtio-blk-pci,drive=seed"}
	machine := withoutLoader(t)
	machine.Image, machine.As, machine.ExtraArgs = built(t, "iso", "amd64"), vm.CDROM, append(nic("n0"), drive...)
	r := vmtest.Report(t, vmtest.Boot(t, machine))
	if r.Config.Source != bootreport.SourceNoCloud || !strings.HasSuffix(r.Config.Origin, ": user-data") || len(r.Config.Documents) != 1 {
		t.Errorf("configuration %+v", r.Config)
	}
	if s := r.Network.Hostname; r.Hostname != "from-seed" || s == nil || s.Origin != "platform" || len(r.Errors) > 0 {
		t.Errorf("host name %q %+v, errors %+v", r.Hostname, s, r.Errors)
	}
}

// TestBootBond boots with two network cards: the configuration comes over a bond that the kernel arguments ask for, and
// puts a VLAN on it and a bridge with a dummy link beside it, live.
func TestBootBond(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	const links = `    hostname: bonded
    interfaces:
      - interface: bond1
        bond: {mode: active-backup, miimon: 100, interfaces: [eth0, eth1]}
        dhcp: true
        addresses: [10.8.0.1/24]
        vlans: [{vlanId: 5, addresses: [10.5.0.1/24], mtu: 1400}]
      - interface: br0
        bridge: {interfaces: [dummy0], stp: {enabled: true}}
        addresses: [10.6.0.1/24]
        routes: [{network: 10.66.0.0/16, gateway: 10.6.0.9}]
      - interface: dummy0
        dummy: true
`
	port := serve(t, map[string]string{"/c.yaml": strings.Replace(configareatest.Worker("x"), "    hostname: x\n", links, 1)})
	machine := withoutLoader(t)
	machine.Append += " talos.config=http://10.0.2.2:" + port + "/c.yaml bond=bond1:eth0,eth1:mode=active-backup,miimon=100 ip=bond1:dhcp"
	machine.ExtraArgs = append(nic("n0"), nic("n1")...)
	r := vmtest.Report(t, vmtest.Boot(t, machine))
	var got []string
	for _, l := range r.Network.Links {
		text := l.Name + " " + l.Kind + " " + l.Master
		for _, a := range l.Addresses {
			if a.Origin != "" {
				text += " " + a.Address
			}
		}
		got = append(got, text)
	}
	want := []string{"bond1 bond  10.0.2.15/24 10.8.0.1/24", "bond1.5 vlan  10.5.0.1/24", "br0 bridge  10.6.0.1/24", "dummy0 dummy br0", "eth0  bond1", "eth1  bond1"}
	if !slices.Equal(got, want) || r.Hostname != "bonded" || len(r.Network.Faults)+len(r.Errors) > 0 {
		t.Errorf("links %q, want %q; host name %s, faults %q, errors %+v", got, want, r.Hostname, r.Network.Faults, r.Errors)
	}
}
