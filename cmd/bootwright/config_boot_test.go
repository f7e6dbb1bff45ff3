package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootConfig boots ISOs with machine configurations: built in, exchanged in the finished file, one out of two hundred.
func TestBootConfig(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	log := "---\napiVersion: v1alpha1\nkind: KmsgLogConfig\nname: log\nurl: udp://10.0.0.1:514\n"
	iso := built(t, "iso", "amd64")
	original := sum(t, iso)

	bootwright(t, "config", "inject", iso, "--config", file("first.yaml", configareatest.Worker("first")+log))
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		checkConfig(t, iso, vm.Options{Firmware: firmware, As: vm.CDROM}, "first", "default", "v1alpha1/ KmsgLogConfig/log")
	}
	bootwright(t, "config", "inject", iso, "--config", file("second.yaml", configareatest.Worker("second")))
	checkConfig(t, iso, vm.Options{Firmware: vm.UEFI, As: vm.Disk}, "second", "default", "v1alpha1/")
	checkConfig(t, iso, vm.Options{Firmware: vm.BIOS, As: vm.Disk}, "second", "default", "v1alpha1/")
	bootwright(t, "config", "reset", iso)
	if got := sum(t, iso); got != original {
		t.Errorf("after reset the ISO is %s, it was %s", got, original)
	}

	const uuid = "4c4c4544-0000-4000-8000-%012d"
	rack := filepath.Join(dir, "rack")
	if err := os.Mkdir(rack, 0o777); err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		file("rack/"+fmt.Sprintf(uuid, i)+".yaml", configareatest.Worker(fmt.Sprint("node-", i)))
	}
	many := built(t, "iso", "amd64", "--config-dir", rack)
	for firmware, i := range map[vm.Firmware]int{vm.UEFI: 137, vm.BIOS: 42} {
		mine := fmt.Sprintf(uuid, i)
		checkConfig(t, many, vm.Options{Firmware: firmware, As: vm.CDROM, ExtraArgs: []string{"-uuid", mine}}, fmt.Sprint("node-", i), mine, "v1alpha1/")
	}
}

// TestBootConfigARM: without GRUB and BIOS there is one way to the area, that of systemd-stub.
func TestBootConfigARM(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	iso := built(t, "iso", "arm64")
	node := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(node, []byte(configareatest.Worker("arm")), 0o600); err != nil {
		t.Fatal(err)
	}
	bootwright(t, "config", "inject", iso, "--config", node)
	checkConfig(t, iso, vm.Options{Arch: "arm64", As: vm.CDROM}, "arm", "default", "v1alpha1/")
}

// checkConfig boots an ISO and compares what the machine says of its configuration.
func checkConfig(t *testing.T, iso string, o vm.Options, hostname, match, documents string) {
	t.Helper()
	o.Image = iso
	console := vmtest.Boot(t, o)
	r := vmtest.Report(t, console)
	var found []string
	for _, d := range r.Config.Documents {
		found = append(found, d.Kind+"/"+d.Name)
	}
	if r.Hostname != hostname || r.Config.Source != bootreport.SourceBaked || r.Config.Match != match || strings.Join(found, " ") != documents || len(r.Errors) > 0 {
		t.Errorf("%s: host name %q, configuration %+v, errors %+v; want %s for %s with %s", o.Firmware, r.Hostname, r.Config, r.Errors, hostname, match, documents)
	}
	if strings.Contains(console, configareatest.Token) {
		t.Error("a secret is on the console")
	}
}

// bootwright runs a command line that must succeed.
func bootwright(t *testing.T, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), &app{stdout: &stdout, stderr: &stderr}, args); code != 0 {
		t.Fatalf("bootwright %q: exit code %d\n%s", args, code, stderr.String())
	}
}

func sum(t *testing.T, path string) blob.Digest {
	t.Helper()
	f, err := blob.OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := blob.Sum(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
