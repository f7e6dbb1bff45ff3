package v1alpha1_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/configtest"
	"github.com/bootwright/bootwright/machine/config/v1alpha1"
)

// valid is a configuration of a control plane without findings; tests put faults into it.
func valid(t *testing.T) string {
	t.Helper()
	crt, key := authority(t, now().AddDate(1, 0, 0))
	return `version: v1alpha1
machine:
  type: controlplane
  token: abcdef.0123456789abcdef
  ca: {crt: ` + crt + `, key: ` + key + `}
  install: {disk: /dev/sda}
cluster:
  controlPlane: {endpoint: "https://10.0.0.2:6443"}
`
}

// authority is a certificate that ends at a time, and its key, as documents have them.
func authority(t *testing.T, end time.Time) (crt, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: end.AddDate(-2, 0, 0), NotAfter: end, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return encode("CERTIFICATE", der), encode("ED25519 PRIVATE KEY", pkcs8)
}

// key32 is a key of WireGuard.
const key32 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

// TestValidate: a line put into the valid configuration below machine: or cluster:, and the
// messages that it brings.
func TestValidate(t *testing.T) {
	t.Parallel()
	old, _ := authority(t, now().AddDate(0, 0, -1))
	soon, _ := authority(t, now().AddDate(0, 0, 3))
	text := valid(t)
	for _, c := range []struct {
		where, add string
		want       []string
	}{
		{"machine", "network: {hostname: a, nameservers: [1.1.1.1], interfaces: [{interface: eth0, addresses: [10.0.0.2/24, 10.0.0.3]}]}", nil},
		{"machine", "network: {hostname: a b}", []string{`machine.network.hostname: "a b" is not a host name`}},
		{"machine", "network: {nameservers: [x]}", []string{`machine.network.nameservers[0]: "x" is not an IP address (such as 10.0.0.2)`}},
		{"machine", "network: {interfaces: [{interface: eth0, addresses: [10.0.0.2/33]}]}", []string{`machine.network.interfaces[0].addresses[0]: "10.0.0.2/33" is not an IP address, with or without a prefix length (such as 10.0.0.2/24)`}},
		{"machine", "network: {interfaces: [{interface: eth0}, {interface: eth0}]}", []string{"machine.network.interfaces[1]: the interface eth0 is given twice (the first is machine.network.interfaces[0])"}},
		{"machine", "network: {interfaces: [{dhcp: true}]}", []string{"either interface or deviceSelector is needed"}},
		{"machine", "network: {interfaces: [{interface: eth0, deviceSelector: {driver: a}}]}", []string{"exclude each other"}},
		{"machine", "network: {interfaces: [{deviceSelector: {}}]}", []string{"selects nothing"}},
		{"machine", "network: {interfaces: [{interface: eth0, mtu: 9, vlans: [{vlanId: 5000}, {vlanId: 7}, {vlanId: 7}, {}]}]}",
			[]string{"9 is not in the range from 68 to 65535", "5000 is not in the range", "vlans[2]: the VLAN 7 is given twice", "vlans[3].vlanId: the field is required"}},
		{"machine", "network: {interfaces: [{interface: b, bond: {interfaces: [x], mode: 802.3d}}, {interface: br, bridge: {interfaces: [x, br]}}]}",
			[]string{`bond.mode: unknown value "802.3d" (did you mean "802.3ad"?)`, "x is in b already", "br cannot be in itself"}},
		{"machine", "network: {interfaces: [{interface: b, bond: {mode: balance-rr, lacpRate: fast, primary: x, updelay: 1}}]}",
			[]string{"either interfaces or deviceSelectors are needed", "for the mode 802.3ad only", "for the modes active-backup", "need miimon"}},
		{"machine", "network: {interfaces: [{interface: a, routes: [{network: 10.0.0.0/8, gateway: '::1'}, {}], dummy: true, wireguard: {privateKey: x}}]}",
			[]string{"cannot be a wireguard and a dummy", "different families", "either network or gateway", "privateKey: is not 32 bytes in base64"}},
		{"machine", "network: {kubespan: {enabled: true}}", []string{"needs cluster.id and cluster.secret"}},
		{"machine", "kernel: {modules: [{name: nvidia-uvm}, {name: nvidia_uvm}, {name: a/b}]}", []string{"the module nvidia_uvm is given twice", `"a/b" is not a name of a kernel module`}},
		{"machine", "sysctls: {net.core.somaxconn: 1, foo: 1}", []string{`machine.sysctls.foo: the name "foo" is not a name of a sysctl (such as net.core.somaxconn)`}},
		{"machine", "systemDiskEncryption: {state: {provider: luks2, keys: [{nodeID: {}, slot: 0}, {tpm: {}, slot: 0}, {slot: 40}, {kms: {endpoint: x}, static: {passphrase: a}, slot: 3}]}}",
			[]string{"the slot 0 is given twice", "40 is not in the range", "has 0 of static", "has 2 of static", `has the scheme "" (use grpc:// or http:// or https://)`, "not encrypted"}},
		{"machine", "systemDiskEncryption: {state: {provider: luks2, keySize: 129, blockSize: 600, keys: []}}", []string{"at least one key", "not a power of two", "not a multiple of 8"}},
		{"machine", "systemDiskEncryption: {state: {provider: luks1, keys: [{nodeID: {}, slot: 0}]}}", []string{`provider: unknown value "luks1"`}},
		{"machine", "disks: [{device: sdb, partitions: [{mountpoint: /mnt}, {mountpoint: /mnt, size: 1GB}]}]",
			[]string{"is not an absolute path", "only the last partition", "is not below /var", "is not below /var", "mounted twice"}},
		{"machine", "files: [{path: /etc/x, op: create, content: a}, {path: /var/a, op: make}]", []string{`create operation not allowed outside of /var: "/etc/x"`, "unknown value"}},
		{"machine", "time: {servers: [time.cloudflare.com, /dev/ptp0, 'a b']}", []string{"machine.time.servers[2]"}},
		{"machine", "registries: {mirrors: {docker.io: {endpoints: [ftp://x, 'http://[']}}, config: {'*': {tls: {insecureSkipVerify: true}}}}",
			[]string{`has the scheme "ftp"`, "is not a URL", "wildcard host TLS configuration is not supported"}},
		{"machine", "logging: {destinations: [{endpoint: http://x, format: xml}]}", []string{"use tcp:// or udp://", "unknown value"}},
		{"machine", "acceptedCAs: [{crt: " + old + "}, {crt: " + soon + "}, {crt: aGFsbG8=}, {crt: '!'}]",
			[]string{"certificate 1 expired on 2029-12-31", "warning: machine.acceptedCAs[1].crt: certificate 1 expires on 2030-01-04", "there is no PEM certificate in it", "is not base64"}},
		{"machine", "nodeTaints: {a: b:NoSchedul}", []string{"unknown effect"}},
		{"machine", "kubelet: {nodeIP: {validSubnets: ['!10.0.0.0/8', x]}, extraMounts: [{destination: /a, options: [ro]}]}", []string{"validSubnets[1]", "need bind or rbind"}},
		{"machine", "persist: true", []string{"unknown field"}},
		{"machine", "network: {interfaces: [{interface: bond0, addresses: [10.0.0.2/24], bond: {mode: 802.3ad, interfaces: [eth0, eth1], adActorSystem: x}}, {interface: eth1, dhcp: true}, {interface: eth0, mtu: 9000}]}",
			[]string{`adActorSystem: "x" is not a MAC address (such as 52:54:00:12:34:56)`, "interfaces[1]: is in bond0 and cannot have addresses, DHCP or routes of its own (give them to bond0)"}},
		{"machine", "network: {interfaces: [{interface: a, addresses: [10.0.0.2/24, 10.0.0.2/24]}, {interface: b, addresses: [10.0.0.2/24]}, {interface: c, ignore: true, dhcp: true}]}",
			[]string{"warning: machine.network.interfaces[0].addresses[1]: the address 10.0.0.2/24 is given twice", "interfaces[1].addresses[0]: 10.0.0.2/24 is an address of a already", "warning: machine.network.interfaces[2].ignore: what is set here has no effect"}},
		{"machine", "network: {interfaces: [{interface: a, dhcp: true, routes: [{gateway: 10.0.0.1}, {network: 10.1.0.0/16, gateway: 10.0.0.1}, {gateway: 10.0.0.1}, {gateway: 10.0.0.1, metric: 5}], vlans: [{vlanId: 2, dhcpOptions: {ipv6: true}, routes: [{network: 10.1.0.0/16}, {network: 10.1.0.0/16}]}]}]}",
			[]string{"warning: machine.network.interfaces[0].routes[2]: the route default 10.0.0.1 is given twice (the first is machine.network.interfaces[0].routes[0])",
				"interfaces[0].vlans[0].dhcpOptions: has no effect without DHCP", "interfaces[0].vlans[0].routes[1]: the route 10.1.0.0/16 is given twice"}},
		{"machine", "network: {interfaces: [{interface: a, vip: {ip: 10.0.0.5}}, {interface: b, dhcp: true, vip: {ip: 10.0.0.6}}, {interface: c, bond: {interfaces: [d], mode: broadcast}, bridge: {interfaces: [e]}}]}",
			[]string{"warning: machine.network.interfaces[0].vip: the interface has no address of its own", "cannot be a bond and a bridge"}},
		{"machine", "network: {interfaces: [{interface: wg0, wireguard: {privateKey: " + key32 + ", peers: [{publicKey: " + key32 + ", allowedIPs: [10.0.0.0/8]}, {publicKey: " + key32 + ", allowedIPs: [10.0.0.0/8], endpoint: x}]}}]}",
			[]string{"peers[1]: the peer " + key32 + " is given twice", "allowedIPs[0]: 10.0.0.0/8 is behind another peer already", `"x" is not a host with a port`}},
		{"machine", "registries: {mirrors: {docker.io: {skipFallback: true}, gcr.io: {endpoints: [http://a, http://a]}}}", []string{"no image is found", "the endpoint http://a is given twice"}},
		{"machine", "kernel: {modules: [{name: dummy, parameters: [numdummies=2, 'a b', 'x=\"a b\"']}]}", []string{`parameters[1]: "a b" is not one parameter of a module (such as numdummies=2)`}},
		{"machine", "udev: {rules: ['SUBSYSTEM==\"drm\", MODE=\"0666\"', '# why', SUBSYSTEM drm]}", []string{`udev.rules[2]: "SUBSYSTEM drm" is not a udev rule`}},
		{"machine", "files: [{path: /var/../etc/x, op: create}, {path: /var/a, op: create}, {path: /var/b/../a, op: create}, {path: /etc/x, op: append}]",
			[]string{`create operation not allowed outside of /var: "/var/../etc/x"`, "files[2]: the file /var/a is given twice"}},
		{"machine", "nodeTaints: {a: NoSchedule, b: 'c:NoExecute', d: c, 'e f': ':NoSchedule'}", []string{`nodeTaints.d: unknown effect "c"`, `the name "e f" is not a label`}},
		{"machine", "nodeLabels: {a: b c, d/e/f: g, h: ''}", []string{`nodeLabels.a: "b c" is not a value of a label (such as rack-7)`, `the name "d/e/f" is not a label`}},
		{"machine", "nodeAnnotations: {a: anything goes, -b: c}", []string{`the name "-b" is not a label`}},
		{"machine", "kubelet: {image: 'a b', extraArgs: {config: a, --v: '4'}, extraConfig: {port: 1, maxPods: 200}}",
			[]string{`"a b" is not an image reference`, "extraArgs.config: the system itself sets it", `the name "--v" is not an argument without dashes`, "extraConfig.port: the system itself sets it"}},
		{"machine", "certSANs: [10.0.0.1, '::1', '*.example.com', 'x:1']", []string{`certSANs[3]: "x:1" is not a DNS name or an IP address`}},
		{"machine", "logging: {destinations: [{endpoint: 'tcp://a', format: json_lines}, {endpoint: 'udp://a:1', format: json_lines}, {endpoint: 'udp://a:1', format: json_lines}]}",
			[]string{`"tcp://a" is not a URL with a port`, "the destination udp://a:1 is given twice"}},
		{"machine", "disks: [{device: /dev/sda, partitions: [{mountpoint: /var/mnt}]}]", []string{"/dev/sda is the disk to install to"}},
		{"machine", "seccompProfiles: [{name: a.json, value: {a: 1}}, {name: a.json, value: {a: 1}}, {name: a/b, value: {a: 1}}]", []string{"the profile a.json is given twice", `"a/b" is not a file name`}},
		{"machine", "systemDiskEncryption: {ephemeral: {provider: luks2, keys: [{nodeID: {}, slot: 0}, {static: {}, slot: 1}, {nodeID: {}, slot: 32}, {nodeID: {}, slot: -1}, {nodeID: {}}]}}",
			[]string{"static.passphrase: the field is required", "32 is not in the range from 0 to 31", "-1 is not in the range from 0 to 31", "slots are from 0 to 31", "keys[4].slot: the field is required", "keys[4]: the slot 0 is given twice"}},
		{"machine", "time: {servers: [a, a], bootTimeout: 2m}", []string{"the server a is given twice"}},
		{"cluster", "network: {podSubnets: [10.0.0.0/16, fd00::/64, 10.1.0.0/16]}", []string{"podSubnets[2]: a subnet of IPv4 is given twice"}},
		{"cluster", "apiServer: {extraArgs: {etcd-servers: a, feature-gates: b}, certSANs: [a b]}\n  controllerManager: {extraArgs: {root-ca-file: a}}\n  proxy: {extraArgs: {kubeconfig: a}}",
			[]string{"apiServer.extraArgs.etcd-servers: the system itself sets it", "is not a DNS name", "controllerManager.extraArgs.root-ca-file", "proxy.extraArgs.kubeconfig"}},
		{"cluster", "network: {podSubnets: [10.0.0.0/8], serviceSubnets: [10.96.0.0/12], cni: {name: custom}}", []string{"overlaps the service subnet", "needs the URLs"}},
		{"cluster", "etcd: {subnet: 10.0.0.0/8, advertisedSubnets: [10.0.0.0/8], extraArgs: {name: a}}", []string{"exclude each other", "the system itself sets it (remove it)", "warning"}},
		{"cluster", "inlineManifests: [{name: a}, {name: a}]", []string{"the manifest a is given twice"}},
		{"cluster", "ca: {crt: " + soon + ", key: " + base64.StdEncoding.EncodeToString([]byte("x")) + "}", []string{"is not one PEM block", "expires", "service accounts"}},
	} {
		input := strings.Replace(text, c.where+":\n", c.where+":\n  "+c.add+"\n", 1)
		_, findings := config.Check("x", []byte(input), check.Options{Now: now()})
		got := configtest.Said(findings)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s\nsays\n%s\nnot %s", c.add, got, want)
			}
		}
		if len(findings) != len(c.want) {
			t.Errorf("%s\nsays\n%s\nwant %d findings", c.add, got, len(c.want))
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	worker := new(v1alpha1.Config).Example()
	for _, c := range []struct {
		o     check.Options
		text  string
		want  string
		fault bool
	}{
		{check.Options{}, worker, "", false},
		{check.Options{Mode: check.Cloud}, strings.Replace(worker, "  install:\n    disk: /dev/sda\n", "", 1), "", false},
		{check.Options{}, strings.Replace(worker, "  install:\n    disk: /dev/sda\n", "", 1), "where to install", true},
		{check.Options{Mode: check.Container}, worker, "a container installs nothing", false},
		{check.Options{Mode: check.Container, Strict: true}, worker, "a container installs nothing", true},
		{check.Options{}, strings.Replace(worker, "worker", "join", 1), "use worker", false},
		{check.Options{}, strings.Replace(worker, "worker", "controlplane", 1), "needs the key of the authority", true},
		{check.Options{Strict: true}, worker + "persist: true\n", "", false},
		{check.Options{}, worker + "persist: false\n", "warning: persist: the configuration is kept all the same (write persist: true)", false},
		{check.Options{}, strings.Replace(worker, "disk: /dev/sda", "disk: /dev/sda\n    diskSelector: {type: nvme}", 1), "diskSelector is used, not disk", false},
		{check.Options{}, strings.Replace(worker, "disk: /dev/sda", "disk: /dev/sda\n    extraKernelArgs: [console=ttyS0, '-quiet', 'dyndbg=\"file a +p\"', 'a b']", 1), `extraKernelArgs[3]: "a b" is not one argument of the kernel (such as console=ttyS1)`, false},
		{check.Options{}, "version: v1alpha1\n", "machine.type: the field is required", true},
		{check.Options{}, "apiVersion: v1alpha1\nkind: EventSinkConfig\nendpoint: a:1\n", "", false},
	} {
		_, findings := config.Check("x", []byte(c.text), c.o)
		if got := configtest.Said(findings); c.want == "" && got != "" || !strings.Contains(got, c.want) || (findings.Err() != nil) != c.fault {
			t.Errorf("%+v: %s\nwant %s", c.o, got, c.want)
		}
	}
}

// TestOtherKey: a key that is not the certificate's is found, and not shown.
func TestOtherKey(t *testing.T) {
	t.Parallel()
	crt, key := authority(t, now().AddDate(1, 0, 0))
	_, other := authority(t, now().AddDate(1, 0, 0))
	text := strings.Replace(new(v1alpha1.Config).Example(), "cluster:\n", "cluster:\n  aggregatorCA: {crt: "+crt+", key: "+other+"}\n  etcd: {ca: {crt: "+crt+", key: "+key+"}}\n", 1)
	_, findings := config.Check("x", []byte(text), check.Options{})
	if len(findings) != 1 || !strings.Contains(configtest.Said(findings), "cluster.aggregatorCA: the key is not that of the certificate") {
		t.Errorf("%s", configtest.Said(findings))
	}
	secret := strings.Repeat("c2VjcmV0", 40)
	_, findings = config.Check("x", []byte("machine: {ca: {crt: x, key: "+secret+"}, token: "+secret+"}\ncluster: {secret: ["+secret+"]}"), check.Options{})
	if findings.Err() == nil || strings.Contains(findings.Error(), secret[:60]) {
		t.Errorf("a secret is shown: %v", findings)
	}
	_, findings = config.Check("x", []byte("machine:\n  token: hunter2\n  time: {servers: ['a b']}\n"), check.Options{Mode: check.Cloud})
	if text := findings.Error(); strings.Contains(text, "hunter2") || !strings.Contains(text, "  time: {servers") {
		t.Errorf("%s", text)
	}
}

func now() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }
