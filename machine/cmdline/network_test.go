package cmdline

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestParseIP(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"dhcp":      "&{ invalid Prefix invalid IP  true false [] []}",
		"none":      "<nil>",
		"off":       "<nil>",
		"eth1:dhcp": "&{eth1 invalid Prefix invalid IP  true false [] []}",
		"dhcp6":     "&{ invalid Prefix invalid IP  false true [] []}",
		"172.20.0.2::172.20.0.1:255.255.255.0:node:eth0:off:1.1.1.1:8.8.8.8:10.0.0.1": "&{eth0 172.20.0.2/24 172.20.0.1 node false false [1.1.1.1 8.8.8.8] [10.0.0.1]}",
		"172.20.0.2::::node":                               "&{ 172.20.0.2/32 invalid IP node false false [] []}",
		"[2001:db8::2]::[2001:db8::1]:64::eth0:none":       "&{eth0 2001:db8::2/64 2001:db8::1  false false [] []}",
		"[2001:db8::2]::[2001:db8::1]:[ffff:ffff::]::eth0": "&{eth0 2001:db8::2/32 2001:db8::1  false false [] []}",
		":::::eth0:dhcp":                                   "&{eth0 invalid Prefix invalid IP  true false [] []}",
	} {
		got, err := ParseIP(in)
		if text := fmt.Sprint(got); text != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", in, text, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "neither", "dhpc": `"dhpc"`, "[2001:db8::2": "bracket", "1.2.3::::": "not an address", "10.0.0.1:::255.0.255.0": "network mask",
		"10.0.0.1:::33": "33 bits", "10.0.0.1::x:24": "not an address", "10.0.0.1:::24::eth0:dhcp": "exclude", "10.0.0.1:::24::a-name-far-too-long": "name of a network interface",
	} {
		if _, err := ParseIP(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", in, err, want)
		}
	}
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	n, err := Parse("ip=dhcp ip=nonsense bond=bond1:eth0,eth1:mode=active-backup,miimon=100:9000 bond=x vlan=eth0.5:eth0 vlan=five:eth0 " +
		"talos.hostname=me talos.network.interface.ignore=eth9").Network()
	want := Network{
		IPs:   []IP{{DHCP: true}},
		Bonds: []Bond{{"bond1", []string{"eth0", "eth1"}, []Arg{{"mode", "active-backup", true}, {"miimon", "100", true}}, 9000}},
		VLANs: []VLAN{{"eth0.5", "eth0", 5}}, Hostname: "me", Ignore: []string{"eth9"},
	}
	if !reflect.DeepEqual(n, want) {
		t.Errorf("%+v, want %+v", n, want)
	}
	if err == nil || strings.Count(err.Error(), "kernel argument ") != 3 {
		t.Errorf("%v", err)
	}
	for _, bad := range []string{"bond1", "bond1:eth0:mode", "bond1:eth0:../x=1", "bond1:eth0::12", "bond1:e/0", "b:e:::x"} {
		if _, err := ParseBond(bad); err == nil {
			t.Errorf("bond=%s is taken", bad)
		}
	}
}

func FuzzNetwork(f *testing.F) {
	f.Add("ip=10.0.0.1::10.0.0.2:255.255.255.0:h:eth0:off:1.1.1.1 bond=b:e:m=1:1500 vlan=v1:e ip=[::1]::[::2]:64")
	f.Fuzz(func(t *testing.T, line string) {
		n, _ := Parse(line).Network()
		for _, ip := range n.IPs {
			if !ip.DHCP && !ip.DHCP6 && !ip.Address.IsValid() && !strings.Contains(line, "6") {
				t.Errorf("%+v asks for nothing", ip)
			}
		}
	})
}

func TestHideURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://h/c": "http://h/c", "https://user:pw@h:1/c?token=x": "https://…@h:1/c?…", "http://h": "http://h", "http://h?a=b": "http://h?…",
		"metal-iso": "metal-iso", "A=b?c": "A=b?c", "http://a@b@c/d@e": "http://…@c/d@e", "": "",
	} {
		if got := HideURL(in); got != want {
			t.Errorf("%s becomes %s, want %s", in, got, want)
		}
	}
	args := Parse("talos.config=http://u:p@h/c?t=secret")
	if got := args.Machine()[Config]; got != "http://…@h/c?…" {
		t.Errorf("reports show %s", got)
	}
}
