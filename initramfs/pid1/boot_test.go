package pid1

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/rootfs"
	"github.com/bootwright/bootwright/machine/bootreport"
)

const (
	serial     = "/dev/ttyS0"
	screen     = "/dev/tty0"
	moduleDir  = "usr/lib/modules/6.1.0-1-test/"
	gpu        = "sys/bus/pci/devices/0000:00:01.0/modalias"
	virtioDisk = "sys/bus/virtio/devices/virtio0/modalias"
)

// squashfs is the superblock of an image of used bytes.
func squashfs(used int) string {
	p := make([]byte, 4096)
	copy(p, "hsqs")
	binary.LittleEndian.PutUint64(p[40:], uint64(used))
	return string(p)
}

// machine is a good one, with a disk and a device whose driver is not for it.
func machine(t testing.TB, commandLine string) *fake.Machine {
	m := fake.New(t, map[string]string{
		"init":                       "the init",
		"rootfs.sqsh":                squashfs(4096),
		"etc/bootwright-release":     "VERSION=v1.2.3\nEPOCH=900000000\nBASE=debian-12 7\n",
		moduleDir + "modules.dep":    "loop.ko:\nsquashfs.ko:\noverlay.ko:\n",
		moduleDir + "loop.ko":        "",
		moduleDir + "squashfs.ko":    "",
		moduleDir + "overlay.ko":     "",
		"usr/lib/modules/other/file": "",
	})
	m.Contents["proc"] = map[string]string{
		"cmdline": commandLine + "\n", "meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 500 kB\n",
		"sys/kernel/osrelease": "6.1.0-1-test\n", "sys/kernel/printk": "7\t4\t1\t7\n", "sys/kernel/panic": "0\n",
	}
	for _, name := range []string{
		"kernel/dmesg_restrict", "kernel/kptr_restrict", "kernel/perf_event_paranoid", "kernel/unprivileged_bpf_disabled",
		"kernel/yama/ptrace_scope", "net/core/bpf_jit_harden", "user/max_user_namespaces",
	} {
		m.Contents["proc"]["sys/"+name] = "0\n"
	}
	m.Contents["sysfs"] = map[string]string{
		"class/tty/console/active":             "tty0 ttyS0\n",
		"class/dmi/id/sys_vendor":              "QEMU\n",
		"class/dmi/id/product_uuid":            "u-u-i-d\n",
		"devices/system/cpu/online":            "0-1\n",
		"firmware/efi/x":                       "",
		strings.TrimPrefix(gpu, "sys/"):        "pci:gpu\n",
		strings.TrimPrefix(virtioDisk, "sys/"): "virtio:disk\n",
	}
	m.AddDisk(&fake.Disk{Name: "vda", Bytes: 1 << 20, Attributes: map[string]string{"serial": "S1\n"}})
	m.Contents["efivarfs"] = map[string]string{"SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01"}
	m.Contents["/rootfs.sqsh"] = map[string]string{
		"etc/": "", "usr/sbin/init": "",
		moduleDir + "modules.dep":   "virtio.ko:\nvirtio_blk.ko: virtio.ko\ngpu.ko:\nusb.ko:\nefivarfs.ko:\nloop.ko:\n",
		moduleDir + "modules.alias": "alias virtio:* virtio_blk\nalias pci:gpu gpu\nalias usb:* usb\n",
		moduleDir + "virtio.ko":     "", moduleDir + "virtio_blk.ko": "", moduleDir + "gpu.ko": "", moduleDir + "usb.ko": "",
		moduleDir + "efivarfs.ko": "",
	}
	m.ModuleErrors["gpu"] = syscall.ENODEV
	m.ModuleTimes["gpu"] = 5 * time.Millisecond
	return m
}

const good = "talos.platform=metal console=ttyS0 virtio_blk.depth=9 slab_nomerge pti=on"

// bubble runs the boot of m, calls while once it has gone quiet, and then switches m off if it still runs.
func bubble(t *testing.T, commandLine string, prepare, while func(t *testing.T, m *fake.Machine)) *fake.Machine {
	t.Helper()
	var m *fake.Machine
	synctest.Test(t, func(t *testing.T) {
		m = machine(t, commandLine)
		if prepare != nil {
			prepare(t, m)
		}
		done := make(chan struct{})
		go func() { Run(m); close(done) }()
		wait(9 * time.Second)
		if while != nil {
			while(t, m)
		}
		wait(30 * time.Second)
		if m.Ended() == "" {
			m.Signal(syscall.SIGTERM)
		}
		<-done
	})
	return m
}

// wait lets the machine run for d.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func reportOf(t *testing.T, m *fake.Machine) *bootreport.Report {
	t.Helper()
	r, err := bootreport.Find([]byte(m.Shown(serial)))
	if err != nil {
		t.Fatalf("%v in:\n%s", err, m.Shown(serial))
	}
	return r
}

var update = flag.Bool("update", false, "write the golden files anew")

func TestBoot(t *testing.T) {
	m := bubble(t, good, nil, func(t *testing.T, m *fake.Machine) {
		kept, err := m.ReadFile(bootreport.Path)
		if err != nil || !json.Valid(kept) || !strings.Contains(m.Shown(serial), string(kept)) {
			t.Errorf("the report that is kept: %s, %v", kept, err)
		}
		if p, err := m.ReadFile("/usr/sbin/init"); string(p) != "the init" {
			t.Errorf("init in the root: %q, %v", p, err)
		}
		if p, _ := m.ReadFile("/proc/sys/kernel/panic"); string(p) != "10" {
			t.Errorf("kernel.panic = %q", p)
		}
		if p, _ := m.ReadFile("/proc/sys/kernel/printk"); string(p) != "6" {
			t.Errorf("kernel.printk = %q", p)
		}
		m.Signal(syscall.SIGCHLD)
	})
	if m.Ended() != kernel.PowerOff || m.Reaped != 1 {
		t.Errorf("ended in %q, %d processes collected", m.Ended(), m.Reaped)
	}
	if want := []string{"loop", "squashfs", "overlay", "virtio", "virtio_blk depth=9", "efivarfs"}; !slices.Equal(m.Loaded(), want) {
		t.Errorf("loaded %q, want %q", m.Loaded(), want)
	}
	arch := `"arch":"` + runtime.GOARCH
	shown := strings.Replace(m.Shown(serial), arch, `"arch":"any`, 1)
	golden(t, "testdata/serial.golden", regexp.MustCompile(`"logs":\{.*?\]\},`).ReplaceAllString(shown, "")) // how far readers have come
	golden(t, "testdata/screen.golden", m.Shown(screen))
	if got := len(m.Kmsg); got < 5 || !strings.HasPrefix(m.Kmsg[0], "<14>bootwright: ") {
		t.Errorf("kernel log: %q", m.Kmsg)
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v\n--- got\n%s--- want\n%s", file, err, got, want)
	}
}

// TestRootCannotBeMounted: the boot says so, in the report too, and the machine restarts.
func TestRootCannotBeMounted(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, m *fake.Machine)
		want    string
	}{
		"no image":   {func(t *testing.T, m *fake.Machine) { must(t, m.Remove("/rootfs.sqsh")) }, "root image /rootfs.sqsh: open /rootfs.sqsh: no such file"},
		"other file": {func(t *testing.T, m *fake.Machine) { must(t, m.WriteFile("/rootfs.sqsh", []byte("ELF"), 0)) }, "not a squashfs image"},
		"truncated":  {func(t *testing.T, m *fake.Machine) { must(t, m.WriteFile("/rootfs.sqsh", []byte(squashfs(8192)), 0)) }, "truncated: it has 4096 bytes of 8192"},
		"refused":    {func(t *testing.T, m *fake.Machine) { m.MountErrors[rootfs.Dir] = syscall.EINVAL }, "mount on /newroot: invalid argument"},
		"no /proc":   {func(t *testing.T, m *fake.Machine) { m.MountErrors["/proc"] = syscall.EPERM }, "mount on /proc: operation not permitted"},
	} {
		t.Run(name, func(t *testing.T) {
			restarted := time.Duration(0)
			m := bubble(t, good, c.prepare, func(t *testing.T, m *fake.Machine) {
				if m.Ended() != "" {
					t.Error("ended before anybody could read why")
				}
				wait(2 * time.Second)
				restarted = m.SinceBoot()
				if m.Ended() != kernel.Restart {
					t.Errorf("ended in %q at %s", m.Ended(), restarted)
				}
			})
			shown := m.Shown("")
			if strings.Contains(shown, bootreport.Ready) || !strings.Contains(shown, "error: the boot failed: ") {
				t.Errorf("shown:\n%s", shown)
			}
			r, err := bootreport.Find([]byte(shown))
			if err != nil || len(r.Errors) == 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if last := r.Errors[len(r.Errors)-1]; !last.Fatal || !strings.Contains(last.Error, c.want) {
				t.Errorf("error %+v, want %q", last, c.want)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPanicArgument: with panic=0 a machine that cannot boot stays as it is, until ctrl-alt-del.
func TestPanicArgument(t *testing.T) {
	m := bubble(t, "panic=0", func(t *testing.T, m *fake.Machine) { m.MountErrors[rootfs.Dir] = syscall.EINVAL }, func(t *testing.T, m *fake.Machine) {
		wait(time.Hour)
		if m.Ended() != "" {
			t.Errorf("ended in %q", m.Ended())
		}
		if p, _ := m.ReadFile("/proc/sys/kernel/panic"); string(p) != "0\n" {
			t.Errorf("kernel.panic = %q", p)
		}
		m.Signal(syscall.SIGINT)
	})
	if m.Ended() != kernel.Restart || !strings.Contains(m.Shown(serial), "panic=0 asks for it") {
		t.Errorf("ended in %q:\n%s", m.Ended(), m.Shown(serial))
	}
}

func TestShutdownArgument(t *testing.T) {
	if m := bubble(t, "talos.shutdown=halt", nil, nil); m.Ended() != kernel.Halt {
		t.Errorf("ended in %q", m.Ended())
	}
}

// TestPanic: a defect of init, wherever it is, shows its stack and restarts the machine.
func TestPanic(t *testing.T) {
	for name, where := range map[string]string{"in a step": "loop", "in a goroutine": "gpu"} {
		t.Run(name, func(t *testing.T) {
			m := bubble(t, good, func(t *testing.T, m *fake.Machine) { m.ModulePanic = where }, nil)
			shown := m.Shown(serial)
			if m.Ended() != kernel.Restart || !strings.Contains(shown, "panic in ") || !strings.Contains(shown, ": a defect\n") ||
				!strings.Contains(shown, "modules.(*Loader).loadOne") || !strings.Contains(shown, "the machine restarts in 10s") {
				t.Errorf("ended in %q:\n%s", m.Ended(), shown)
			}
		})
	}
}

func TestModules(t *testing.T) {
	for name, c := range map[string]struct {
		commandLine string
		prepare     func(t *testing.T, m *fake.Machine)
		failed      []bootreport.Failed
		noDevice    []string
		errors      []string // beginnings
	}{
		"truncated": {good, func(t *testing.T, m *fake.Machine) { m.ModuleErrors["virtio_blk"] = syscall.ENOEXEC },
			[]bootreport.Failed{{Name: "virtio_blk", Reason: "not a module for this kernel, or damaged (exec format error)"}}, []string{"gpu"}, nil},
		"what it needs fails": {good, func(t *testing.T, m *fake.Machine) { m.ModuleErrors["virtio"] = syscall.EKEYREJECTED },
			[]bootreport.Failed{
				{Name: "virtio", Reason: "its signature is refused (key was rejected by service)"},
				{Name: "virtio_blk", Reason: "needs virtio: its signature is refused (key was rejected by service)"},
			}, []string{"gpu"}, nil},
		"blocked": {good + " modprobe.blacklist=gpu,other", nil, nil, nil, nil},
		"missing": {good, func(t *testing.T, m *fake.Machine) {
			m.Contents["/rootfs.sqsh"][moduleDir+"modules.dep"] = "gpu.ko: nothing.ko\nefivarfs.ko:\n"
		}, []bootreport.Failed{{Name: "gpu", Reason: "kernel modules: nothing, which gpu needs, is missing"}}, nil, nil},
		"no index in the root": {good, func(t *testing.T, m *fake.Machine) {
			delete(m.Contents["/rootfs.sqsh"], moduleDir+"modules.dep")
		}, nil, nil, []string{"modules: read the index of kernel modules in /usr/lib/modules/6.1.0-1-test", "trial: no kernel module is called efivarfs"}},
		"initramfs of another kernel": {good, func(t *testing.T, m *fake.Machine) {
			m.Contents["proc"]["sys/kernel/osrelease"] = "6.2.0\n"
		}, nil, nil, []string{"root-modules: read the index of kernel modules in /usr/lib/modules/6.2.0: open /usr/lib/modules/6.2.0/modules.dep: no such file or directory (there are modules for 6.1.0-1-test, other)"}},
		"no events": {good, func(t *testing.T, m *fake.Machine) { m.UeventsError = syscall.EPERM }, nil, []string{"gpu"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := bubble(t, c.commandLine, c.prepare, nil)
			r := reportOf(t, m)
			if !slices.Equal(r.Modules.Failed, c.failed) || !slices.Equal(r.Modules.NoDevice, c.noDevice) {
				t.Errorf("failed %q, no device %q", r.Modules.Failed, r.Modules.NoDevice)
			}
			for i, want := range c.errors {
				if i >= len(r.Errors) || !strings.HasPrefix(r.Errors[i].Step+": "+r.Errors[i].Error, want) {
					t.Errorf("errors %+v, want %q", r.Errors, want)
				}
			}
			if c.errors == nil && r.Errors != nil {
				t.Errorf("errors %+v", r.Errors)
			}
			if !strings.Contains(m.Shown(serial), bootreport.Ready+"\n") {
				t.Error("not ready")
			}
		})
	}
}

// TestDevicesThatComeLater: what is plugged in after the boot is seen to, also when the kernel had more to say than it could.
func TestDevicesThatComeLater(t *testing.T) {
	bubble(t, good, nil, func(t *testing.T, m *fake.Machine) {
		m.Plug(kernel.Uevent{"ACTION": "add", "DEVPATH": "/devices/x"})
		m.Plug(kernel.Uevent{"ACTION": "remove", "MODALIAS": "pci:other"})
		m.Plug(kernel.Uevent{"ACTION": "add", "MODALIAS": "usb:stick"})
		wait(time.Second)
		if !slices.Contains(m.Loaded(), "usb") {
			t.Errorf("loaded %q", m.Loaded())
		}
	})
	bubble(t, good, nil, func(t *testing.T, m *fake.Machine) {
		must(t, m.MkdirAll("/sys/bus/usb/devices/1-1", 0o755))
		must(t, m.WriteFile("/sys/bus/usb/devices/1-1/modalias", []byte("usb:stick\n"), 0o644))
		m.Plug(nil)
		wait(time.Second)
		if !slices.Contains(m.Loaded(), "usb") {
			t.Errorf("loaded %q after events were lost", m.Loaded())
		}
	})
}

// TestHungConsole: a console that takes nothing neither stops the boot nor the other console.
func TestHungConsole(t *testing.T) {
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) { m.Hung = screen }, nil)
	if !strings.Contains(m.Shown(serial), bootreport.Ready) || m.Ended() != kernel.PowerOff {
		t.Errorf("ended in %q:\n%s", m.Ended(), m.Shown(serial))
	}
}

func TestUnknownArguments(t *testing.T) {
	m := bubble(t, "talos.platfrom=metal talos.qqqqqqqqqqqqqqqqqqq", nil, nil)
	for _, want := range []string{"unknown kernel argument talos.platfrom; is it talos.platform?", "unknown kernel argument talos.qqqqqqqqqqqqqqqqqqq\n"} {
		if !strings.Contains(m.Shown(serial), "bootwright: warning: "+want) {
			t.Errorf("%q is not in:\n%s", want, m.Shown(serial))
		}
	}
}

// TestLayers: several images become one root, the later over the earlier.
func TestLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := machine(t, good)
		must(t, m.WriteFile("/000.extra.sqsh", []byte(squashfs(4096)), 0o644))
		must(t, m.WriteFile("/extensions.yaml", []byte("layers: [{image: 000.extra.sqsh, metadata: {name: extra, version: '1.0'}}]"), 0o644))
		m.Contents["/rootfs.sqsh"]["etc/a"], m.Contents["/rootfs.sqsh"]["etc/b"] = "base", "base"
		m.Contents["/000.extra.sqsh"] = map[string]string{"etc/a": "extra"}
		done := make(chan struct{})
		go func() { Run(m); close(done) }()
		wait(time.Minute)
		for name, want := range map[string]string{"/etc/a": "extra", "/etc/b": "base"} {
			if p, err := m.ReadFile(name); string(p) != want {
				t.Errorf("%s: %q, %v", name, p, err)
			}
		}
		if root := reportOf(t, m).Root; !slices.Equal(root.Layers, []string{"rootfs", "000.extra"}) || root.Size != 8192 {
			t.Errorf("%+v", root)
		}
		i := slices.IndexFunc(m.Mounts, func(mt kernel.Mount) bool { return mt.Target == rootfs.Dir })
		if want := "lowerdir=" + rootfs.Layers + "/0:" + rootfs.Layers + "/rootfs"; m.Mounts[i].Data != want {
			t.Errorf("overlay of %q, want %q", m.Mounts[i].Data, want)
		}
		m.Signal(syscall.SIGPWR)
		<-done
	})
}

// TestDevicesThatNeverSettle: the boot goes on, and says so.
func TestDevicesThatNeverSettle(t *testing.T) {
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) { m.ModuleTimes["gpu"] = time.Minute / 4 }, nil)
	r := reportOf(t, m)
	if len(r.Errors) != 1 || r.Errors[0].Error != "devices have not settled within 10s" {
		t.Errorf("%+v", r.Errors)
	}
}

func TestTaskThatFails(t *testing.T) {
	m := bubble(t, good, func(t *testing.T, m *fake.Machine) { m.UeventsError = errors.New("no socket") }, nil)
	if !strings.Contains(m.Shown(serial), "warning: devices: no socket; again in 1s") {
		t.Error(m.Shown(serial))
	}
}
