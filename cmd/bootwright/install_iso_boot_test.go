package main

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// installConfig is a file with the configuration of a machine that installs itself, with more in its part machine.install and in
// machine.
func installConfig(t *testing.T, install, machine string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "node.yaml")
	text := strings.Replace(configareatest.Worker("installed"), "    disk: /dev/sda\n", install+"    extraKernelArgs: [bootwright.marker=installed]\n"+machine, 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// emptyDisk is a file and the arguments with which a machine starts from it before anything else, once there is a system on it.
func emptyDisk(t *testing.T) (file string, args []string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 4<<30); err != nil {
		t.Fatal(err)
	}
	return file, []string{"-drive", "if=none,id=target,format=raw,file=" + file, "-device", "virtio-blk-pci,drive=target,bootindex=0"}
}

// installedReport is what a machine that was installed says when it has started from its disk.
var installedReport = regexp.MustCompile(regexp.QuoteMeta(bootreport.Prefix) + `.*"commandLine":"[^"]*bootwright\.marker=installed.*"readyMs":[0-9]+(,"errors":.*\])?\}`)

// bootTwice is how long two boots with an installation between them may take on a busy computer.
const bootTwice = 8 * time.Minute

// checkInstalled looks at the boot from the disk in a console.
func checkInstalled(t *testing.T, console string) {
	t.Helper()
	at := strings.Index(console, "the machine restarts")
	if at < 0 {
		t.Fatalf("the machine did not install itself:\n%s", console)
	}
	r, err := bootreport.Find([]byte(console[at:] + "\n")) // the console ends with the report
	if err != nil {
		t.Fatalf("%v:\n%s", err, console[at:])
	}
	checkOnDisk(t, r)
}

// checkOnDisk looks at what a machine says that was installed, and was started from its disk.
func checkOnDisk(t *testing.T, r *bootreport.Report) {
	t.Helper()
	var volumes []string
	for _, v := range r.Volumes {
		volumes = append(volumes, v.ID+" "+v.Phase)
	}
	if r.Hostname != "installed" || len(r.Errors) > 0 || r.Install != nil || strings.Join(volumes, ", ") != "META ready, STATE ready, EPHEMERAL ready" ||
		r.Config.Source != bootreport.SourceBaked || strings.Contains(r.CommandLine, "halt_if") {
		t.Errorf("host name %s, errors %+v, install %+v, volumes %q, configuration %+v, arguments %s", r.Hostname, r.Errors, r.Install, volumes, r.Config, r.CommandLine)
	}
}

// TestBootInstallFromISO: a machine that starts from an ISO with machine.install installs itself from the ISO alone, restarts, and comes
// up from the disk with its configuration and its kernel argument. As STATE is encrypted, nobody finds the configuration on the disk then.
// Started from the ISO again it halts.
func TestBootInstallFromISO(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	iso := built(t, "iso", "amd64", "--config", installConfig(t, "    diskSelector: {size: 4GiB, busPath: \"*virtio*\"}\n",
		"  systemDiskEncryption: {state: {provider: luks2, keys: [{slot: 0, nodeID: {}}]}}\n"))
	cleared := regexp.MustCompile("configurations beside the system are cleared: STATE")
	for _, firmware := range []vm.Firmware{vm.UEFI, vm.BIOS} {
		disk, args := emptyDisk(t)
		args = append(args, "-uuid", "6f1c8f52-9b0d-4c5e-a3d7-0e2b9c84d1f6")
		checkInstalled(t, vmtest.Boot(t, vm.Options{Image: iso, As: vm.CDROM, Firmware: firmware, Reboots: true, Timeout: bootTwice, Until: cleared, ExtraArgs: args}))
		checkNowhere(t, disk, "diskSelector")
		if firmware == vm.BIOS {
			vmtest.Boot(t, vm.Options{
				Image: iso, As: vm.CDROM, Firmware: firmware, Until: regexp.MustCompile("reboot: System halted"),
				ExtraArgs: []string{"-drive", "if=none,id=target,format=raw,snapshot=on,file=" + disk, "-device", "virtio-blk-pci,drive=target"},
			})
		}
	}
}

// TestBootInstallFromRegistry: the machine pulls an installer through the mirror of its configuration and has that install. It asks for
// no time: the mirror has no certificate.
func TestBootInstallFromRegistry(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	host := registrytest.Start(t, registrytest.Options{}).Host
	bootwright(t, "build", "installer", "--arch", "amd64", "--base", vmtest.Base(t), "--cache-dir", t.TempDir(), "--push", "http://"+host+"/acme/installer:v1",
		"--set", "version=v9.9.9")
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		t.Fatal(err)
	}
	config := installConfig(t, "    disk: /dev/vda\n    image: registry.example.com/acme/installer:v1\n",
		"  registries: {mirrors: {registry.example.com: {endpoints: [\"http://10.0.2.2:"+port+"\"], skipFallback: true}}}\n")
	_, disk := emptyDisk(t)
	console := vmtest.Boot(t, vm.Options{
		Image: built(t, "iso", "amd64", "--config", config), As: vm.CDROM, Firmware: vm.UEFI, Reboots: true, MemoryMiB: 1536, Timeout: bootTwice, Until: installedReport, ExtraArgs: append(disk, nic("n0")...),
	})
	checkInstalled(t, console)
	if !strings.Contains(console, `{"version":"v9.9.9",`) {
		t.Error("what runs is not the image's system")
	}
}

// checkNowhere reads all of a sparse file for a text that must not be in it.
func checkNowhere(t *testing.T, file, text string) {
	t.Helper()
	f, err := blob.OpenFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	piece := make([]byte, 1<<20)
	for at := int64(0); at < f.Size(); at += int64(len(piece) - len(text)) {
		n := min(int64(len(piece)), f.Size()-at)
		if err := blob.ReadFull(f, piece[:n], at); err != nil {
			t.Fatal(err)
		}
		if i := bytes.Index(piece[:n], []byte(text)); i >= 0 {
			t.Errorf("%s has %q at %d", file, text, at+int64(i))
		}
	}
}
