package modules

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

func machine(t testing.TB) *fake.Machine {
	const dir = "usr/lib/modules/6.1.0/"
	files := map[string]string{
		"proc/sys/kernel/osrelease": "6.1.0\n", "proc/cmdline": "quiet xfs.trace=1 modprobe.blacklist=vfat\n",
		dir + "modules.dep":     "xfs.ko: crc.ko\ncrc.ko:\nvfat.ko:\nmsdos.ko:\nfast.ko:\nslow.ko:\n",
		dir + "modules.alias":   "alias fs-xfs xfs\nalias fs-fat vfat\nalias fs-fat msdos\nalias crypto-crc fast\nalias crypto-crc slow\n",
		dir + "modules.softdep": "softdep crc pre: crypto-crc\n",
		dir + "modules.builtin": "kernel/ext4.ko\n",
	}
	for _, name := range []string{"xfs", "crc", "vfat", "msdos", "fast", "slow"} {
		files[dir+name+".ko"] = ""
	}
	m := fake.New(t, files)
	m.ModuleErrors["fast"] = syscall.ENODEV
	return m
}

func TestModprobe(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		loaded string // comma-separated, with options
		stderr string
	}{
		{"-q -- fs-xfs", 0, "slow,crc,xfs trace=1", ""},
		{"xfs debug=2", 0, "slow,crc,xfs trace=1 debug=2", ""},
		{"crypto-crc", 0, "slow", ""},
		{"ext4", 0, "", ""},
		{"-q -b -- fs-fat", 0, "msdos", ""},
		{"vfat", 0, "vfat", ""},
		{"fast", 1, "", "modprobe: kernel module fast: no device for it (no such device)"},
		{"nothing", 1, "", "modprobe: no kernel module is called nothing"},
		{"-q nothing", 1, "", ""},
		{"-x", 1, "", "modprobe: unknown flag -x"},
		{"", 1, "", "modprobe: name a kernel module"},
	} {
		m := machine(t)
		var stderr bytes.Buffer
		status := Modprobe(m, strings.Fields(c.args), &stderr)
		if got := strings.Join(m.Loaded(), ","); status != c.status || got != c.loaded || strings.TrimSpace(stderr.String()) != c.stderr {
			t.Errorf("modprobe %s: status %d, loaded %q, says %q", c.args, status, got, stderr.String())
		}
	}
}

// TestModprobeLeavesAloneWhatStarts: a module that starts may be waiting for this very modprobe.
func TestModprobeLeavesAloneWhatStarts(t *testing.T) {
	m := machine(t)
	if err := m.MkdirAll("/sys/module/crc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := m.WriteFile("/sys/module/crc/initstate", []byte("coming\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if status := Modprobe(m, []string{"fs-xfs"}, &bytes.Buffer{}); status != 0 || slices.Contains(m.Loaded(), "crc") || !slices.Contains(m.Loaded(), "xfs trace=1") {
		t.Errorf("status %d, loaded %q", status, m.Loaded())
	}
}

func TestModprobeWithoutIndex(t *testing.T) {
	var stderr bytes.Buffer
	m := fake.New(t, map[string]string{"proc/sys/kernel/osrelease": "6.1.0\n", "proc/cmdline": ""})
	if status := Modprobe(m, []string{"xfs"}, &stderr); status != 1 || !strings.Contains(stderr.String(), "/usr/lib/modules/6.1.0/modules.dep: no such file") {
		t.Errorf("status %d, says %q", status, stderr.String())
	}
}

// TestEachModuleOnce: many devices ask at once for modules that need the same ones.
func TestEachModuleOnce(t *testing.T) {
	m := machine(t)
	done := make(chan struct{})
	l := NewLoader(m, nil, func(f func()) { go func() { f(); done <- struct{}{} }() })
	if err := l.Use("/usr/lib/modules/6.1.0"); err != nil {
		t.Fatal(err)
	}
	aliases := []string{"fs-xfs", "xfs", "crc", "slow", "fast", "fs-fat", "msdos", "fs-xfs", "unknown"}
	for _, a := range aliases {
		l.Request(a)
	}
	for range len(aliases) - 1 { // fs-xfs is asked for twice
		<-done
	}
	got := slices.Sorted(slices.Values(m.Loaded()))
	if want := []string{"crc", "msdos", "slow", "vfat", "xfs"}; !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
	r := l.Report()
	if len(r.Loaded) != 5 || !slices.Equal(r.NoDevice, []string{"fast"}) || r.Failed != nil {
		t.Errorf("%+v", r)
	}
}

func TestNames(t *testing.T) {
	for text, want := range map[string]string{"loop 45056 2 - Live 0x0\nvirtio 1 0\n": "[loop virtio]", "": "[]", "-": "[]"} {
		files := map[string]string{"proc/modules": text}
		if text == "-" {
			files = nil
		}
		if got, err := Names(fake.New(t, files)); fmt.Sprint(got) != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// TestOfferModprobe: the link leads to init, and one that is there already stays.
func TestOfferModprobe(t *testing.T) {
	for _, there := range []map[string]string{nil, {"sbin/modprobe": "-> /init"}} {
		m := fake.New(t, there)
		if err := OfferModprobe(m); err != nil {
			t.Error(err)
		}
		if target, err := m.ReadLink("/sbin/modprobe"); target != "/init" || err != nil {
			t.Errorf("%s, %v", target, err)
		}
	}
}
