package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/authoritytest"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// nodeMachine is the machine part of sections 2, 8 and 11 of the guide, with a module of Debian's in place of nvidia's, and things that
// cannot be.
const nodeMachine = `machine:
  kernel:
    modules:
      - name: dummy
        parameters: [numdummies=2]
      - name: softdog
      - name: no_such_module
      - name: brd
        parameters: [no_such_parameter=1, rd_nr=1]
  sysctls:
    net.core.bpf_jit_harden: "1"
    net.core.somaxconn: "65535"
    net.ipv4.conf.*.rp_filter: "2"
    kernel.no_such_setting: "1"
    vm.swappiness: "1000000"
  sysfs:
    kernel.mm.transparent_hugepage.enabled: never
    module/loop/parameters/nothing: "1"
  udev:
    rules:
      - KERNEL=="null", MODE="0640", SYMLINK+="nothing/%k"
      - KERNEL=="null", RUN+="/bin/true"
  env:
    http_proxy: http://10.0.2.2:3128
  files:
    - path: /etc/cri/conf.d/20-customization.part
      op: create
      content: |
        [metrics]
          address = "0.0.0.0:11234"
    - {path: /var/lib/extra/hello, op: create, permissions: 0o640, content: hello}
    - {path: /etc/passwd, op: append, content: "extra:x:1000:1000::/:/bin/false"}
    - {path: /etc/no-such-file, op: overwrite, content: x}
`

// nodeConfig is a configuration with it, a certificate authority beside rubbish, and a watchdog.
func nodeConfig(t *testing.T) string {
	t.Helper()
	good := string(authoritytest.New(t).PEM)
	certs := "  " + strings.ReplaceAll(strings.TrimSpace(good+"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"+good), "\n", "\n  ")
	text := strings.Replace(configareatest.Worker("node"), "machine:\n", nodeMachine, 1)
	text = strings.Replace(text, "    disk: /dev/sda\n", "    disk: /dev/sda\n    extraKernelArgs: [panic=0, talos.platform=metal, -slab_nomerge]\n", 1)
	return text + "---\napiVersion: v1alpha1\nkind: TrustedRootsConfig\nname: custom-ca\ncertificates: |-\n" + certs +
		"\n---\napiVersion: v1alpha1\nkind: WatchdogTimerConfig\ndevice: /dev/watchdog0\ntimeout: 30s\n"
}

// TestBootNode boots a machine that is asked for all sorts of settings, some of which cannot be.
func TestBootNode(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(nodeConfig(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	machine := withoutLoader(t, baked(file)...)
	machine.ExtraArgs = append(nic("n0"), "-uuid", "4c4c4544-0000-4000-8000-000000000001")
	machine.Until = regexp.MustCompile(bootreport.Prefix + `.*"watchdog":\{"device":"/dev/watchdog0","timeoutS":30\}.*"readyMs":\d+.*\}\r`) // its driver is one of the modules
	console := vmtest.Boot(t, machine)
	r := lastReport(t, console)
	for what, c := range map[string]struct {
		said []bootreport.Asked
		want []string // name, state and the beginning of the reason
	}{
		"modules": {r.Settings.Modules, []string{
			"dummy applied ", "softdog applied ", "no_such_module refused there is no such kernel module", "brd applied ",
		}},
		"sysctls": {r.Settings.Sysctls, []string{
			"kernel.no_such_setting refused the kernel has no such setting", "net.core.bpf_jit_harden applied ", "net.core.somaxconn applied ",
			"net.ipv4.conf.*.rp_filter applied ", "vm.swappiness refused the kernel does not take this value: invalid argument",
		}},
		"sysfs": {r.Settings.Sysfs, []string{
			"kernel.mm.transparent_hugepage.enabled applied ", "module/loop/parameters/nothing refused the kernel has no such setting",
		}},
		"arguments": {r.Settings.Arguments, []string{"panic=0 pending it takes effect", "talos.platform=metal applied ", "-slab_nomerge pending it takes"}},
		"rules": {r.Settings.Rules, []string{
			`KERNEL=="null", MODE="0640", SYMLINK+="nothing/%k" applied `, `KERNEL=="null", RUN+="/bin/true" refused RUN is not supported`,
		}},
		"protection": {r.Settings.Protection, []string{"net.core.bpf_jit_harden refused the configuration asks for 1"}},
		"files": {r.Files, []string{
			"/etc/cri/conf.d/20-customization.part applied it is part of", "/var/lib/extra/hello applied ",
			"/etc/passwd applied ",
			"/etc/no-such-file refused open /etc/no-such-file: file does not exist",
		}},
	} {
		checkAsked(t, what, c.said, c.want)
	}
	if len(r.MachineID) != 32 || !slices.Equal(r.Settings.Variables, []string{"http_proxy"}) {
		t.Errorf("machine ID %q, environment %q", r.MachineID, r.Settings.Variables)
	}
	if d := r.Trust.Documents; len(d) != 1 || d[0].Certificates != 2 || len(d[0].Faults) != 1 || r.Trust.Certificates < 100 || r.Trust.Fault != "" {
		t.Errorf("trust %+v", r.Trust)
	}
	if strings.Contains(console, "warning: watchdog") || strings.Contains(console, "10.0.2.2:3128") {
		t.Error("the value of an environment variable, or an early watchdog, is on the console")
	}
}

func checkAsked(t *testing.T, what string, said []bootreport.Asked, want []string) {
	t.Helper()
	if len(said) != len(want) {
		t.Errorf("%s: %+v", what, said)
		return
	}
	for i, a := range said {
		if got := a.Name + " " + a.State + " " + a.Reason; !strings.HasPrefix(got, want[i]) || strings.HasSuffix(want[i], " ") && got != want[i] {
			t.Errorf("%s: %s, want %s", what, got, want[i])
		}
	}
}
