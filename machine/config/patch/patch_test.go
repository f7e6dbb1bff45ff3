package patch

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
)

const base = `# the head
version: v1alpha1
machine:
  # what it is
  type: worker # not a control plane
  network:
    hostname: a
    interfaces:
      - interface: eth0 # the first
        addresses: [10.0.0.2/24]
        vlans:
          - vlanId: 100
            dhcp: true
      - deviceSelector: {driver: virtio}
        mtu: 1500
  sysctls: {a.b: "1", c.d: "2"}
  kubelet: {extraConfig: {a: 1}}
cluster:
  network: {podSubnets: [10.244.0.0/16]}
  apiServer:
    auditPolicy: {rules: [{level: Metadata}]}
---
apiVersion: v1alpha1
kind: KmsgLogConfig # untouched
name:   log
url: udp://10.0.0.1:514/
---
apiVersion: v1alpha1
kind: NetworkRuleConfig
name: r
portSelector: {ports: [80], protocol: tcp}
ingress: [{subnet: 10.0.0.0/8}]
`

// TestPatches: a patch and a line by line difference of what it makes of base.
func TestPatches(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ patch, minus, plus string }{
		"scalars": {"machine: {type: controlplane, network: {hostname: b}}\n",
			"  type: worker # not a control plane\n  network:\n    hostname: a\n", "  type: controlplane # not a control plane\n  network:\n    hostname: b\n"},
		"null is nothing": {"machine: {type: ~, network: {hostname: }}\n", "", ""},
		"booleans overwrite": {"machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 100, dhcp: false}]}]}}\n",
			"            dhcp: true\n", "            dhcp: false\n"},
		"lists append":   {"machine: {network: {interfaces: [{interface: eth0, addresses: [::1]}]}}\n", "[10.0.0.2/24]", "[10.0.0.2/24, ::1]"},
		"same selector":  {"machine: {network: {interfaces: [{deviceSelector: {driver: virtio}, mtu: 9000}]}}\n", "mtu: 1500", "mtu: 9000"},
		"other selector": {"machine: {network: {interfaces: [{deviceSelector: {driver: e1000}}]}}\n", "mtu: 1500\n", "mtu: 1500\n      - deviceSelector: {driver: e1000}\n"},
		"new VLAN":       {"machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 5}]}]}}\n", "dhcp: true\n", "dhcp: true\n          - {vlanId: 5}\n"},
		"subnets":        {"cluster: {network: {podSubnets: [10.0.0.0/8]}}\n", "[10.244.0.0/16]", "[10.0.0.0/8]"},
		"audit policy":   {"cluster: {apiServer: {auditPolicy: {kind: Policy}}}\n", "{rules: [{level: Metadata}]}", "{kind: Policy}"},
		"delete a key":   {"machine: {sysctls: {a.b: {$patch: delete}}}\n", `{a.b: "1", c.d: "2"}`, `{c.d: "2"}`},
		"delete a field": {"machine: {network: {hostname: {$patch: delete}}}\n", "    hostname: a\n", ""},
		"delete inside an item": {"machine: {network: {interfaces: [{interface: eth0, vlans: [{vlanId: 100, $patch: delete}]}]}}\n",
			"        vlans:\n          - vlanId: 100\n            dhcp: true\n", ""},
		"replace a list":    {"machine: {network: {interfaces: [{interface: eth0, addresses: [{$patch: replace}, ::1]}]}}\n", "[10.0.0.2/24]", "[::1]"},
		"replace a mapping": {"machine: {sysctls: {$patch: replace, e.f: '3'}}\n", `{a.b: "1", c.d: "2"}`, "\n    e.f: '3'"},
		"replace an item": {"machine: {network: {interfaces: [{interface: eth0, $patch: replace, mtu: 9000}]}}\n",
			"interface: eth0 # the first\n        addresses: [10.0.0.2/24]\n        vlans:\n          - vlanId: 100\n            dhcp: true\n",
			"interface: eth0\n        mtu: 9000\n"},
		"rule": {"apiVersion: v1alpha1\nkind: NetworkRuleConfig\nname: r\nportSelector: {ports: [443]}\ningress: [{subnet: ::/0}]\n",
			"portSelector: {ports: [80], protocol: tcp}\ningress: [{subnet: 10.0.0.0/8}]\n", "portSelector: {ports: [443], protocol: tcp}\ningress: [{subnet: ::/0}]\n"},
		"new document": {"apiVersion: v1alpha1\nkind: EventSinkConfig\nendpoint: a:1\n", "", "---\napiVersion: v1alpha1\nkind: EventSinkConfig\nendpoint: a:1\n"},
		"JSON, selector": {`[{"op": "replace", "path": "/url", "value": "tcp://a:1/", "document": "KmsgLogConfig/log"}]`,
			"name:   log\nurl: udp://10.0.0.1:514/\n", "name: log\nurl: tcp://a:1/\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := string(mustApply(t, mustLoad(t, base), c.patch).Bytes())
			want := strings.Replace(base, c.minus, c.plus, 1)
			if c.minus == "" {
				want = base + c.plus
			}
			if flat(got) != flat(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// flat leaves out how YAML may be written otherwise.
func flat(s string) string {
	return strings.NewReplacer(" ", "", "{", "", "}", "", "\n", "", "'", "", `"`, "").Replace(s)
}

// TestUntouchedStays: documents that a patch is not about stay byte for byte.
func TestUntouchedStays(t *testing.T) {
	t.Parallel()
	got := string(mustApply(t, mustLoad(t, base), "machine: {type: init}\n").Bytes())
	i, j := strings.Index(got, "---"), strings.Index(base, "---")
	if got[i:] != base[j:] || !strings.HasPrefix(got, "# the head\n") || !strings.Contains(got, "# the first") {
		t.Errorf("%s", got)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ patch, want string }{
		{"", "the patch is empty"},
		{"machine: {hostnam: a}", "unknown field"},
		{"machine: {type: [a]}", "found a list, want text"},
		{"kind: EventSinkConfg\napiVersion: v1alpha1", "did you mean EventSinkConfig?"},
		{"apiVersion: v1alpha1", "missing kind"},
		{"$patch: delete", "can't delete the root of the legacy document"},
		{"machine: {$patch: drop}", "unknown $patch"},
		{"machine: {time: {$patch: delete}}", "p.yaml:1:17: patch delete: path 'machine.time' in document '/v1alpha1': failed to delete path 'machine.time': lookup failed"},
		{"machine: {network: {interfaces: [{interface: eth9, $patch: delete}]}}", "failed to delete path 'machine.network.interfaces[0]': lookup failed"},
		{"machine: {network: {interfaces: [{$patch: delete}]}}", "lookup failed"},
		{"machine: {disks: [{device: /dev/sda, partitions: {$patch: delete}}]}", "cannot delete an inner key in 'machine.disks[0]'"},
		{"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: log\nurl: {$patch: delete}\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: log\n",
			"duplicate document v1alpha1/KmsgLogConfig/log is not allowed"},
		{"apiVersion: v1alpha1\nkind: ExtensionServiceConfig\nname: e\nenvironment: {$patch: delete}\n",
			"named patch delete: document v1alpha1/ExtensionServiceConfig/e: patch delete: path 'environment' in document"},
		{"apiVersion: v1alpha1\nkind: KmsgLogConfig\nname: other\n$patch: delete\n", "there is no document v1alpha1/KmsgLogConfig/other"},
		{"machine: {kubelet: {extraConfig: {a: {b: 1}}}}", "machine.kubelet.extraConfig.a: merge type mismatch left scalar right mapping"},
		{`[{"op": "remove", "path": "/machine"}]`, "JSON6902 patches are not supported for multi-document machine configuration"},
		{"- {op: remove, path: /machine/time, document: v1alpha1}", "there is nothing at /machine/time"},
		{"- {op: remove, path: /machine, document: EventSinkConfig}", "there is no document EventSinkConfig"},
		{"- {op: rmove, path: /machine}", "did you mean remove?"},
		{"- {op: add, path: /machine}", "has no value"},
		{"- {op: move, path: /machine}", "has no from"},
		{"- {op: remove, path: machine}", "begin it with /"},
		{"- {op: remove}", "has no path"},
		{"- a", "an operation is a mapping"},
		{"- {op: add, path: /machine/network/interfaces/7, value: {}, document: v1alpha1}", `"7" is not a place in a list of 2`},
		{"- {op: add, path: /machine/network/interfaces/01, value: {}, document: v1alpha1}", `"01" is not a place`},
		{"- {op: add, path: /machine/type/a, value: {}, document: v1alpha1}", "is neither a mapping nor a list"},
		{"- {op: test, path: /machine/type, value: init, document: v1alpha1}", "p.yaml:1:3: operation 0 (test /machine/type): the value is another"},
		{"- {op: move, from: /machine, path: /machine/a, document: v1alpha1}", "cannot be moved into itself"},
		{"- {op: remove, path: '', document: v1alpha1}", "cannot be removed"},
		{"- {op: replace, path: /machine/type, value: [a], document: v1alpha1}", "machine.type: found a list, want text"},
		{"- {op: add, path: /machine/pods, value: [], document: v1alpha1}\n" + strings.Repeat("- {op: copy, from: /machine, path: /machine/pods/-, document: v1alpha1}\n", 20), "the document becomes too big"},
		{"\x00\x01", "binary file"},
		{"a: \xff", "not UTF-8"},
	} {
		p, err := Load("p.yaml", []byte(c.patch))
		if err == nil {
			_, err = Apply(mustLoad(t, base), p)
		}
		if err == nil || !strings.Contains(err.Error()+report.HintOf(err), c.want) || report.KindOf(err) != report.Invalid {
			t.Errorf("%.80q: %v (%v), want %s", c.patch, err, report.KindOf(err), c.want)
		}
	}
}

// TestErrorShowsTheLine: what and where.
func TestErrorShowsTheLine(t *testing.T) {
	t.Parallel()
	p, err := Load("p.yaml", []byte("machine:\n  time:\n    $patch: delete\n"))
	if err == nil {
		_, err = Apply(mustLoad(t, base), p)
	}
	want := "p.yaml:3:5: patch delete: path 'machine.time' in document '/v1alpha1': failed to delete path 'machine.time': lookup failed\n" +
		"      $patch: delete\n      ^"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "p.yaml")
	if err := os.WriteFile(file, []byte("- {op: remove, path: /machine/type}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"@" + file, `[{"op":"remove","path":"/machine/type"}]`, "machine: {type: {$patch: delete}}"} {
		p, err := Read(arg)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Apply(mustLoad(t, "machine: {type: worker, token: x}\n"), p)
		if err != nil || string(c.Bytes()) != "machine: {token: x}\n" {
			t.Errorf("%s: %v, %s", arg, err, c.Bytes())
		}
	}
	if _, err := Read("@/does/not/exist"); report.KindOf(err) != report.NotFound || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
