package patch

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/configtest"
)

// TestDiffRoundTrip: the patch from a to b makes b of a, is empty from b to b, and is the same every time.
func TestDiffRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		a := mustLoad(t, string(configtest.Config(rand.New(rand.NewPCG(seed, 1)), 0)))
		b := mustLoad(t, string(configtest.Config(rand.New(rand.NewPCG(seed, 2)), 0)))
		if seed%2 == 0 { // alike in most
			text := string(a.Bytes())
			b = mustLoad(t, strings.NewReplacer("10.0.0.1", "10.0.0.2", "eth0", "eth1", "true", "false", "80", "81").Replace(text))
		}
		diffed(t, a, b)
	}
}

// TestDiff is about what chance rarely makes, in machine.kubelet.extraConfig and in machine.network.
func TestDiff(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, want string }{
		{"kubelet: {extraConfig: {a: 1}}", "kubelet: {extraConfig: {a: {b: 1}}}", "a:\n        $patch: replace\n        b: 1\n"},
		{"kubelet: {extraConfig: {a: {b: 1}}}", "kubelet: {extraConfig: {a: 1}}", "extraConfig:\n      $patch: replace\n      a: 1\n"},
		{"kubelet: {extraConfig: {a: {b: 1}}}", "kubelet: {extraConfig: {a: [1]}}", "a:\n        - $patch: replace\n        - 1\n"},
		{"kubelet: {extraConfig: {a: [1]}}", "kubelet: {extraConfig: {a: {b: 1}}}", "a:\n        $patch: replace\n        b: 1\n"},
		{"kubelet: {extraConfig: {a: [1]}}", "kubelet: {extraConfig: {a: [1, 2]}}", "a:\n        - 2\n"},
		{"kubelet: {extraConfig: {a: [1, 2]}}", "kubelet: {extraConfig: {a: []}}", "a:\n        - $patch: replace\n"},
		{"kubelet: {extraConfig: {a: ~}}", "kubelet: {extraConfig: {}}", ""},
		{"network: {hostname: a}", "network: {}", "hostname:\n      $patch: delete\n"},
		{"network: {interfaces: [{interface: a}, {interface: b, mtu: 9}]}", "network: {interfaces: [{interface: b, mtu: 8}, {interface: c}]}",
			"interfaces:\n      - interface: a\n        $patch: delete\n      - interface: b\n        mtu: 8\n      - {interface: c}\n"},
		{"network: {interfaces: [{interface: a}, {interface: b}]}", "network: {interfaces: [{interface: b}, {interface: a}]}",
			"interfaces:\n      - $patch: replace\n      - {interface: b}\n      - {interface: a}\n"},
		{"network: {interfaces: [{deviceSelector: {driver: a}}]}", "network: {interfaces: [{deviceSelector: {driver: b}}]}",
			"interfaces:\n      - $patch: replace\n      - {deviceSelector: {driver: b}}\n"},
	} {
		a, b := mustLoad(t, "machine: {"+c.a+"}\n"), mustLoad(t, "machine: {"+c.b+"}\n")
		diffed(t, a, b)
		if text, err := Diff(a, b); err != nil || !strings.HasSuffix(string(text), c.want) || c.want == "" && len(text) > 0 {
			t.Errorf("%s to %s: %v\n%s\nwant\n%s", c.a, c.b, err, text, c.want)
		}
	}
	if _, err := Diff(mustLoad(t, base), mustLoad(t, "apiVersion: v1alpha1\nkind: EventSinkConfig\n")); report.KindOf(err) != report.Unsupported {
		t.Error(err)
	}
}

func diffed(t testing.TB, a, b *config.Config) {
	t.Helper()
	text, err := Diff(a, b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Diff(a, b)
	if err != nil || !bytes.Equal(text, again) {
		t.Fatalf("%v: not the same twice:\n%s\n%s", err, text, again)
	}
	got := a
	if len(text) > 0 {
		got = mustApply(t, a, string(text))
	}
	same(t, "diff\n"+string(text)+"\nof\n"+string(a.Bytes()), got, b)
	if nothing, err := Diff(b, got); err != nil || len(nothing) > 0 {
		t.Fatalf("%v, left over:\n%s", err, nothing)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// TestSaveIsFixed: what a patch made is loaded and saved without a change.
func TestSaveIsFixed(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		a := mustLoad(t, string(configtest.Config(rand.New(rand.NewPCG(seed, 3)), 0)))
		b := mustApply(t, a, string(configtest.Config(rand.New(rand.NewPCG(seed, 4)), 0)))
		if c := mustApply(t, a, string(configtest.Config(rand.New(rand.NewPCG(seed, 4)), 0))); !bytes.Equal(b.Bytes(), c.Bytes()) {
			t.Fatal("a merge is not the same twice")
		}
		if c := mustLoad(t, string(b.Bytes())); !bytes.Equal(b.Bytes(), c.Bytes()) {
			t.Fatalf("%s\nis saved as\n%s", b.Bytes(), c.Bytes())
		}
	}
}

func FuzzMerge(f *testing.F) {
	f.Add([]byte(base), []byte("machine: {network: {interfaces: [{interface: eth0, $patch: delete}]}}\n"))
	f.Add([]byte(base), []byte("machine: {sysctls: {$patch: replace}}\n---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: log\n$patch: delete\n"))
	f.Add([]byte("machine: {pods: [&a {b: 1}, *a]}"), []byte("machine: {pods: [{$patch: replace}]}"))
	f.Fuzz(apply)
}

func FuzzJSONPatch(f *testing.F) {
	f.Add([]byte("machine: {sysctls: {a.b: c}, pods: [{a: 1}]} # x"), []byte(`[{"op": "move", "from": "/machine/pods/0", "path": "/machine/pods/-"}]`))
	f.Add([]byte("machine: {}"), []byte("- {op: add, path: /machine/pods, value: []}\n- {op: copy, from: /machine, path: /machine/pods/0}"))
	f.Add([]byte(base), []byte("- {op: test, path: /name, value: log, document: KmsgLogConfig/log}\n- {op: remove, path: /url, document: KmsgLogConfig/log}"))
	f.Fuzz(apply)
}

// apply patches, and takes what comes out for a configuration that is saved and loaded as it is.
func apply(t *testing.T, text, patch []byte) {
	c, err := config.Load("x", text)
	if err != nil {
		return
	}
	p, err := Load("p", patch)
	if err != nil {
		return
	}
	got, err := Apply(c, p)
	if err != nil {
		return
	}
	again, err := config.Load("x", got.Bytes())
	if err != nil || !bytes.Equal(again.Bytes(), got.Bytes()) {
		t.Fatalf("%v: %s", err, got.Bytes())
	}
	if _, err := Diff(c, got); err == nil {
		diffed(t, c, got)
	}
}

// BenchmarkPatch is what the command does: a configuration of 5,000 lines is read, patched and written.
func BenchmarkPatch(b *testing.B) {
	text := "machine:\n  type: controlplane # not yet\n  files:\n" + strings.Repeat("    - path: /var/a\n      op: create\n      permissions: 0o600\n      content: |\n        a\n", 1000)
	for b.Loop() {
		c := mustApply(b, mustLoad(b, text), "machine: {type: worker}")
		if out := c.Bytes(); bytes.Count(out, []byte("\n")) != 5003 {
			b.Fatalf("%d lines", bytes.Count(out, []byte("\n")))
		}
	}
}
