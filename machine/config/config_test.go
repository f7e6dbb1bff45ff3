package config

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/config/kinds"
)

func now() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) }

// TestKinds: the example of every kind is without findings, and is of that kind.
func TestKinds(t *testing.T) {
	t.Parallel()
	var all [][]byte
	for _, k := range Kinds() {
		text := k.New().Example()
		c, findings := Check(k.Name+".yaml", []byte(text), check.Options{Now: now(), Strict: k.Name != "NetworkRuleConfig"})
		if c == nil || len(c.Documents()) != 1 || c.Documents()[0].Kind != k.Name || (c.Documents()[0].Name != "") != k.Named {
			t.Errorf("%s: %v", k.Name, findings)
		}
		all = append(all, []byte(text))
		if k.Also != "" {
			if _, err := Load("x", []byte(strings.ReplaceAll(text, k.Name, k.Also))); err != nil {
				t.Error(err)
			}
		}
	}
	c, err := Load("all.yaml", Join(all...))
	if err != nil || len(c.Documents()) != len(Kinds()) {
		t.Fatalf("%v", err)
	}
	if got := All[*kinds.KmsgLogConfig](c); len(got) != 1 || got[0].URL != "tcp://192.168.3.7:3478/" {
		t.Errorf("%v", got)
	}
	if c.Main().Machine.Type != "worker" || c.Get(ID{"KmsgLogConfig", "remote-log"}) == nil || c.Get(ID{"KmsgLogConfig", ""}) != nil {
		t.Error("documents are not found")
	}
}

// TestManual: the manual's table has every kind and what it is for.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range Kinds() {
		name := "`" + k.Name + "`"
		if k.Name == MainKind {
			name = "main document"
		}
		if !regexp.MustCompile(`(?m)^\| ` + name + ` \| .* \| ` + regexp.QuoteMeta(k.Doc) + ` \|$`).Match(text) {
			t.Errorf("no row for %s: %s", k.Name, k.Doc)
		}
	}
}

// TestSaveIsWhatWasLoaded: no byte differs, and each document has its part.
func TestSaveIsWhatWasLoaded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		parts []string
	}{
		{"machine: {}\n", []string{"machine: {}\n"}},
		{"# a\n---\n# b\nmachine: {} # c\n# d\n", []string{"# a\n---\n# b\nmachine: {} # c\n# d\n"}},
		{"machine: {}\n--- # x\napiVersion: v1alpha1\nkind: EventSinkConfig\n# end", []string{"machine: {}\n", "--- # x\napiVersion: v1alpha1\nkind: EventSinkConfig\n# end"}},
		{"---\n---\nmachine: {}\n---\n---\n--- {apiVersion: v1alpha1, kind: EventSinkConfig}\n",
			[]string{"---\n---\nmachine: {}\n", "---\n---\n--- {apiVersion: v1alpha1, kind: EventSinkConfig}\n"}},
		{"machine:\r\n  files:\r\n  - content: |\r\n      --- a\r\n---\r\nkind: EventSinkConfig\r\napiVersion: v1alpha1\r\n",
			[]string{"machine:\r\n  files:\r\n  - content: |\r\n      --- a\r\n", "---\r\nkind: EventSinkConfig\r\napiVersion: v1alpha1\r\n"}},
	} {
		got, err := Load("x", []byte(c.text))
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		var parts []string
		for _, d := range got.Documents() {
			parts = append(parts, string(d.Text()))
		}
		if string(got.Bytes()) != c.text || fmt.Sprintf("%q", parts) != fmt.Sprintf("%q", c.parts) {
			t.Errorf("%q:\n%q, parts\n%q", c.text, got.Bytes(), parts)
		}
	}
}

// TestEncodeKeepsCommentsAndLayout is about documents that were changed.
func TestEncodeKeepsCommentsAndLayout(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"# head\nmachine:\n  type: worker # why\n  # about the network\n  network:\n    nameservers:\n      - 1.1.1.1 # one\n      - 8.8.8.8\n",
		"machine:\n    network:\n        nameservers:\n            - 1.1.1.1\n",
		"machine:\n  network:\n    nameservers:\n    - 1.1.1.1\n",
		"machine:\n  files:\n    - content: |\n        a: b\n          c\n      permissions: 0o600\n",
	} {
		c, err := Load("x", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(Encode(c.Documents()[0].Node())); got != text {
			t.Errorf("%q became\n%q", text, got)
		}
	}
}

func said(fs report.Findings) string {
	var lines []string
	for _, f := range fs {
		severity := ""
		if f.Severity == report.Warning {
			severity = "warning: "
		}
		line := fmt.Sprintf("%d:%d %s%s: %s", f.Line, f.Column, severity, f.Path, f.Message)
		if f.Hint != "" {
			line += " (" + f.Hint + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"", "0:0 : there is no document in it"},
		{"---\n---\n", "0:0 : there is no document in it"},
		{"- a\n", "1:1 : the document is not a mapping"},
		{"machine: {}\n---\nversion: v1alpha1\n", "3:1 : duplicate document: v1alpha1"},
		{"apiVersion: v1alpha1\n", "1:13 apiVersion: missing kind (kinds: EventSinkConfig, ExtensionServiceConfig, KmsgLogConfig, " +
			"KubeSpanEndpointsConfig, NetworkDefaultActionConfig, NetworkRuleConfig, SideroLinkConfig, TrustedRootsConfig, VolumeConfig, WatchdogTimerConfig)"},
		{"kind: EventSinkConfig\n", "1:7 kind: missing apiVersion (add apiVersion: v1alpha1)"},
		{"kind: EventSinkConfig\napiVersion: v1\n", "2:13 apiVersion: unknown apiVersion (it is v1alpha1)"},
		{"kind: EventSinkConfg\napiVersion: v1alpha1\n", "1:7 kind: unknown kind (did you mean EventSinkConfig?)"},
		{"kind: v1alpha1\napiVersion: v1alpha1\n", "1:7 kind: unknown kind"},
		{"kind: KmsgLogConfig\napiVersion: v1alpha1\n", "1:7 kind: missing name (a KmsgLogConfig needs a name)"},
		{"machine:\n  netwrk: {}\n  network: {hostnme: a, mtu: x}\n  disks: a\n---\nkind: EventSinkConfig\napiVersion: v1alpha1\nendpont: a\n",
			"2:3 machine.netwrk: unknown field (did you mean \"network\"?)\n" +
				"3:13 machine.network.hostnme: unknown field (did you mean \"hostname\"?)\n" +
				"3:25 machine.network.mtu: unknown field (did you mean machine.network.kubespan.mtu?)\n" +
				"4:10 machine.disks: found the text \"a\", want a list (write [a])\n" +
				"8:1 endpont: unknown field (did you mean \"endpoint\"?)"},
		{"machine:\n  type: a\n  type: b\n", "3:3 machine.type: given twice, first on line 2"},
		{"machine:\n  <<: {type: a}\n", "2:3 machine: merge keys (<<) are not supported (write the fields out)"},
		{"machine:\n  time: {bootTimeout: 5}\n  disks: [{device: /dev/sdb, partitions: [{size: 5 parsecs}]}]\n",
			"2:23 machine.time.bootTimeout: \"5\" is not a duration, such as 90s, 2m or 1h30m\n" +
				"3:50 machine.disks[0].partitions[0].size: \"5 parsecs\" is not a size, such as 100MB or 2GiB"},
		{"machine: \x00", "1:10 : found a NUL byte: this is a binary file, not a YAML text"},
		{"machine: \xff", "1:10 : found a byte that is not UTF-8"},
		{"machine: [", "1:11 : did not find expected node content"},
		{strings.Repeat("#", 17<<20), "0:0 : 17825792 bytes are more than the 16777216 that such a document may have"},
		{"a: &a [b,b,b,b,b,b,b,b,b,b]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
			"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e]\n", "aliases expand to more than 250000 keys and values"},
	} {
		_, err := Load("x", []byte(c.text))
		got := said(findingsOf(err))
		if got != c.want && !(strings.HasPrefix(c.want, "aliases") && strings.HasSuffix(got, c.want)) {
			t.Errorf("%.80q:\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
}

// TestLooseScalars are those that other readers take.
func TestLooseScalars(t *testing.T) {
	t.Parallel()
	c, err := Load("x", []byte(`machine:
  sysctls: {net.core.bpf_jit_harden: 1, a.b: true, c.d: 1.10}
  install: {wipe: yes, bootloader: off}
  files: [{permissions: 0o600, content: 5}, {permissions: 0600}]
  kubelet: {extraConfig: {a: 1, b: yes, c: 1.5, d: [x, ~]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	m := c.Main().Machine
	got := fmt.Sprint(m.Sysctls, *m.Install.Wipe, *m.Install.Bootloader, m.Files, m.Kubelet.ExtraConfig)
	if want := "map[a.b:true c.d:1.10 net.core.bpf_jit_harden:1] true false [{5 384  } { 384  }] map[a:1 b:yes c:1.5 d:[x <nil>]]"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func FuzzLoad(f *testing.F) {
	for _, k := range Kinds() {
		f.Add([]byte(k.New().Example()))
	}
	f.Add([]byte("# a\n---\nmachine: {type: &a x, token: *a} # b\n...\n---\n- x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, findings := Check("x", data, check.Options{})
		if c == nil {
			if findings.Err() == nil || len(findings) == 0 {
				t.Fatal("neither a configuration nor a fault")
			}
			return
		}
		saved := c.Bytes()
		again, err := Load("x", saved)
		if err != nil {
			t.Fatalf("saved\n%q\ndoes not load: %v", saved, err)
		}
		if !bytes.Equal(again.Bytes(), saved) || len(again.Documents()) != len(c.Documents()) {
			t.Fatalf("%q becomes %q", saved, again.Bytes())
		}
		for i, d := range c.Documents() {
			n, err := parse(Encode(d.Node()))
			if err != nil || !Equal(n, d.Node()) {
				t.Fatalf("%q is encoded as %q: %v", d.Text(), Encode(d.Node()), err)
			}
			if alone, err := Load("x", d.Text()); err != nil || len(alone.Documents()) != 1 || !Equal(alone.Documents()[0].Node(), again.Documents()[i].Node()) {
				t.Fatalf("%q alone: %v", d.Text(), err)
			}
		}
	})
}
