package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/extensions/exttest"
	"github.com/bootwright/bootwright/extensions/realtest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
)

// TestBootExtensions boots with twelve extensions, one of which looks at what the others have done to the machine:
// modules of Debian's that the base leaves out and modules in the shape of a graphics driver's, loaded by the configuration
// with parameters, firmware, a part of containerd's configuration, a program with a library of its own, microcode, and files
// that all of them have.
func TestBootExtensions(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	release := kernelRelease(t)
	all := []*tree.Tree{realtest.GPU(t, release), realtest.Comedi(t, release), realtest.Microcode(), look(t)}
	for i := len(all); i < 12; i++ {
		all = append(all, exttest.New(fmt.Sprint("order-", i), "1"))
	}
	var args []string
	for i, ext := range all {
		ext.File("rootfs/usr/local/share/order/last", 0o644, blob.String(fmt.Sprint(i)))
		ext.File(fmt.Sprint("rootfs/usr/local/share/order/", i), 0o644, blob.String("is there"))
		args = append(args, "--system-extension-image", realtest.Write(t, ext))
	}
	machine := withoutLoader(t, baked(extensionsConfig(t), append(args, "--set", "input.extensionRules.mayReplace=[/usr/local/share/order/last]")...)...)
	machine.Until = regexp.MustCompile("ext-look: look: is over")
	console := vmtest.Boot(t, machine)
	r, err := bootreport.Find([]byte(console))
	if err != nil {
		t.Fatal(err)
	}
	checkExtensions(t, r)
	checkModules(t, r)
	for line := range strings.Lines(console) {
		if _, said, ok := strings.Cut(line, "ext-look: "); ok {
			t.Log(strings.TrimSpace(said))
		}
	}
	for _, want := range []string{
		`/sys/module/bwgpu/parameters/registry = "PowerLimit=300\n"`,
		`/sys/module/bwgpu/parameters/open_kernel = "1\n"`,
		`/sys/module/bwgpu/parameters/firmware_bytes = "` + fmt.Sprint(all[0].Get("rootfs/usr/lib/firmware/bwgpu/gsp.bin").Size()) + `\n"`,
		`/sys/module/bwgpu_modeset/parameters/fbdev = "Y\n"`,
		`/sys/module/comedi_test/parameters/noauto = "Y\n"`,
		`/proc/sys/net/core/bpf_jit_harden = "1\n"`,
		`/usr/local/bin/bwgpu-hook says "bwgpu-hook\n"`,
		`/usr/local/share/order/last = "11"`,
		`/usr/local/share/order/0 = "is there"`,
		`/usr/local/bin/odd says "7"`,
	} {
		if !strings.Contains(console, want) {
			t.Errorf("nobody sees %s", want)
		}
	}
	for _, want := range []string{`/etc/extensions\.yaml = "layers:\\n- image: 000\.bwgpu\.sqsh`, `/etc/cri/containerd\.toml = ".*runtimes\.bwgpu.*/usr/local/bin/bwgpu-hook`} {
		if !regexp.MustCompile(want).MatchString(console) {
			t.Errorf("nobody sees %s", want)
		}
	}
}

// checkExtensions checks what the machine says of twelve extensions and of what was made of them.
func checkExtensions(t *testing.T, r *bootreport.Report) {
	t.Helper()
	want := []string{"rootfs"}
	for i, name := range []string{"bwgpu", "comedi", "microcode", "look", "order-4", "order-5", "order-6", "order-7", "order-8", "order-9", "order-10", "order-11", "modules-dep"} {
		want = append(want, fmt.Sprintf("%03d.%s", i, name))
	}
	ids := []string{"rootfs"}
	for _, e := range r.Extensions {
		ids = append(ids, e.ID)
		if e.Error != "" || e.Metadata.Version == "" {
			t.Errorf("%+v", e)
		}
	}
	mounted := slices.Clone(r.Root.Layers)
	slices.Sort(mounted[1:])
	if !slices.Equal(ids, want) || !slices.Equal(mounted, want) {
		t.Errorf("extensions %q, layers %q; want %q", ids, r.Root.Layers, want)
	}
	if len(r.Errors)+len(r.Modules.Failed) > 0 {
		t.Errorf("errors %+v, modules that failed %+v", r.Errors, r.Modules.Failed)
	}
}

// checkModules checks that the modules were loaded in the order that the configuration and their dependencies ask for.
func checkModules(t *testing.T, r *bootreport.Report) {
	t.Helper()
	for _, m := range r.Settings.Modules {
		if m.State != bootreport.Applied {
			t.Errorf("module %+v", m)
		}
	}
	ours := func(names []string) string {
		return strings.Join(slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			return !strings.HasPrefix(n, "bwgpu") && !strings.HasPrefix(n, "comedi")
		}), " ")
	}
	var loaded []string
	for _, m := range r.Modules.Loaded {
		loaded = append(loaded, m.Name)
	}
	inKernel := slices.Clone(r.Modules.Kernel)
	slices.Reverse(inKernel)
	const want = "bwgpu bwgpu_modeset bwgpu_uvm bwgpu_peermem comedi comedi_test"
	if len(r.Settings.Modules) != 5 || ours(loaded) != want || ours(inKernel) != want {
		t.Errorf("asked for %+v, loaded %q, in /proc/modules %q; want %q", r.Settings.Modules, ours(loaded), ours(inKernel), want)
	}
}

// extensionsConfig is the configuration of the graphics driver, and a module more.
func extensionsConfig(t *testing.T) string {
	t.Helper()
	patch, err := os.ReadFile(realtest.GPUPatch())
	if err != nil {
		t.Fatal(err)
	}
	_, machine, _ := strings.Cut(string(patch), "machine:\n")
	machine = strings.TrimRight(machine, "\n") + "\n      - name: comedi_test\n        parameters: [noauto=1]\n"
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(strings.Replace(configareatest.Worker("node"), "machine:\n", "machine:\n"+machine, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// look is an extension with a service that prints what the machine has become, and with a program whose library only the
// linker's cache knows.
func look(t *testing.T) *tree.Tree {
	t.Helper()
	ext := exttest.New("look", "1")
	ext.File("rootfs/usr/local/etc/containers/look.yaml", 0o644, blob.String(`name: look
container:
  entrypoint: /look
  args:
    - /proc/modules
    - /sys/module/bwgpu*/parameters/*
    - /sys/module/comedi_test/parameters/*
    - /proc/sys/net/core/bpf_jit_harden
    - /etc/extensions.yaml
    - /etc/cri/containerd.toml
    - /usr/local/share/order/*
    - '!/usr/local/bin/bwgpu-hook'
    - '!/usr/local/bin/odd'
  mounts:
    - {source: /, destination: /host, type: bind, options: [rbind, ro]}
    - {source: /usr, destination: /usr, type: bind, options: [rbind, ro]}
    - {source: /etc, destination: /etc, type: bind, options: [rbind, ro]}
    - {source: /lib, destination: /lib, type: bind, options: [rbind, ro]}
    - {source: /lib64, destination: /lib64, type: bind, options: [rbind, ro]}
depends:
  - service: cri
restart: never
logToConsole: true
`))
	dir := t.TempDir()
	program := func(name string, cmd *exec.Cmd) {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
		}
		content, err := os.ReadFile(filepath.Join(dir, filepath.Base(name)))
		if err != nil {
			t.Fatal(err)
		}
		ext.File("rootfs/usr/local/"+name, 0o755, blob.Bytes(content))
	}
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "look"), "./testdata/look")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOARCH=amd64", "GOOS=linux")
	program("lib/containers/look/look", build)
	c, lib := filepath.Join(dir, "odd.c"), filepath.Join(dir, "libodd.so.7.1")
	text := "#include <stdio.h>\n#ifdef LIB\nint odd(void) { return 7; }\n#else\nint odd(void);\nint main(void) { return printf(\"%d\", odd()) != 1; }\n#endif\n"
	if err := os.WriteFile(c, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	program("odd/lib/libodd.so.7.1", exec.Command("gcc", "-DLIB", "-shared", "-fPIC", "-Wl,-soname,libodd.so.7", "-o", lib, c))
	program("bin/odd", exec.Command("gcc", "-o", filepath.Join(dir, "odd"), c, lib))
	return ext
}

// kernelRelease is that of the base for tests.
func kernelRelease(t *testing.T) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), &app{stdout: &stdout, stderr: &stderr}, []string{"base", "inspect", vmtest.Base(t), "--arch", "amd64", "--json"}); code != 0 {
		t.Fatal(stderr.String())
	}
	m := regexp.MustCompile(`"kernelVersion": *"([^"]+)"`).FindStringSubmatch(stdout.String())
	if m == nil {
		t.Fatalf("no kernel release in %s", stdout.String())
	}
	return m[1]
}

// TestBootMicrocode: the kernel finds microcode by name before it unpacks anything. An emulated processor takes no update, so
// the kernel is asked to say what it has read. Debian's kernel for clouds takes none: this is the usual one. Kernels look before
// all else only where no hypervisor shows.
func TestBootMicrocode(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	ext := exttest.New("microcode", "1")
	ext.File("rootfs/usr/lib/firmware/amd-ucode/microcode_amd_fam17h.bin", 0o644, blob.Bytes(exttest.AMDUpdate(0x800f12, 0x8012))) // QEMU's EPYC
	initrd := built(t, "initramfs", "amd64", "--system-extension-image", realtest.Write(t, ext))
	kernel := realtest.Kernel(t, strings.Replace(kernelRelease(t), "-cloud-", "-", 1))
	for _, tt := range []struct {
		cpu   string
		finds bool
	}{{"EPYC,-hypervisor", true}, {"EPYC-Rome,-hypervisor", false}} {
		console := vmtest.Boot(t, vm.Options{
			Kernel: kernel, Initrd: initrd, Append: `console=ttyS0 talos.platform=metal ignore_loglevel dyndbg="file arch/x86/kernel/cpu/microcode/* +p"`, ExtraArgs: []string{"-cpu", tt.cpu},
			Until: regexp.MustCompile(regexp.QuoteMeta("Run /init")),
		})
		said := regexp.MustCompile(`(?i)microcode.*0x0?badcafe.*`).FindString(console)
		if (said != "") != tt.finds {
			t.Errorf("%s: the kernel says %q of the microcode:\n%s", tt.cpu, said, strings.Join(regexp.MustCompile(`(?i).*microcode.*`).FindAllString(console, -1), "\n"))
		}
		t.Logf("%s: %q", tt.cpu, said)
	}
}

// TestBootDamagedExtensions: a machine comes up without layers that are missing, cut short or rotten, and says which.
func TestBootDamagedExtensions(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	var args []string
	for i, name := range []string{"sound", "lost", "short", "rotten", "later"} {
		ext := exttest.New(name, "1")
		ext.File(fmt.Sprint("rootfs/usr/local/share/", i), 0o644, blob.String(strings.Repeat(name, 1000)))
		args = append(args, "--system-extension-image", realtest.Write(t, ext))
	}
	machine := withoutLoader(t, args...)
	image, err := os.ReadFile(machine.Initrd)
	if err != nil {
		t.Fatal(err)
	}
	layer := func(name string) []byte { // from its name in the archive on
		at := bytes.Index(image, []byte(name+"\x00"))
		if at < 0 {
			t.Fatalf("no %s", name)
		}
		return image[at:]
	}
	copy(layer("001.lost.sqsh"), "999")
	short, rotten := layer("002.short.sqsh"), layer("003.rotten.sqsh")
	copy(short[bytes.Index(short, []byte("hsqs")):], "gone")
	at := bytes.Index(rotten, []byte("hsqs"))
	clear(rotten[at+96 : bytes.Index(rotten, []byte("070701"))-8]) // all but the superblock
	if err := os.WriteFile(machine.Initrd, image, 0o600); err != nil {
		t.Fatal(err)
	}
	r := vmtest.Report(t, vmtest.Boot(t, machine))
	for i, want := range []string{"", "no such file", "not a squashfs image", "left out", ""} {
		if got := r.Extensions[i].Error; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", r.Extensions[i].ID, got, want)
		}
		t.Logf("%s: %q", r.Extensions[i].ID, r.Extensions[i].Error)
	}
	if len(r.Errors) != 3 || r.ReadyMS <= 0 || len(r.Root.Layers) != 3 {
		t.Errorf("errors %+v, ready after %d ms, layers %q", r.Errors, r.ReadyMS, r.Root.Layers)
	}
}
