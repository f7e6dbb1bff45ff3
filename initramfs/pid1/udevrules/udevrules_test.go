package udevrules

import (
	"os"
	"testing"

	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
)

func TestApply(t *testing.T) {
	m := fake.New(t, map[string]string{
		"sys/dev/char/1:3": "-> ../../devices/virtual/mem/null", "sys/devices/virtual/mem/null/uevent": "MAJOR=1\nDEVNAME=null\n",
		"sys/devices/virtual/mem/null/subsystem": "-> ../../../../class/mem", "sys/class/mem/": "", "dev/null": "",
		"sys/dev/block/8:1": "-> ../../devices/pci/sda1", "sys/devices/pci/sda1/uevent": "DEVNAME=sda1\n", "sys/devices/pci/sda1/ro": "1\n",
		"sys/devices/pci/sda1/subsystem": "-> ../../../class/block", "dev/sda1": "", "etc/group": "root:x:0:\ndisk:x:6:\n",
	})
	said := Apply(m, []string{
		`KERNEL=="null", SUBSYSTEM=="mem", MODE="0640"`,
		"# a comment\nSUBSYSTEM==\"block\", ATTR{ro}==\"1\", ACTION==\"add|change\", GROUP=\"disk\", SYMLINK+=\"by/%k-%n\"",
		`KERNEL!="null", SUBSYSTEM=="mem|tty", MODE="0600"`,
		`KERNEL=="null", RUN+="/bin/sh"`, `KERNEL=="sda1", GROUP="nobody"`, `MODE="0600"`, `KERNEL=="null"`, `KERNEL=="null", MODE="9"`,
		`KERNEL=="null", SYMLINK+="../etc/x"`, `KERNEL==null`, `ACTION=="remove", KERNEL=="null", MODE="0600"`, `KERNEL=="[", MODE="0600"`,
	})
	for i, a := range said {
		if want := map[bool]string{true: "applied", false: "refused"}[i < 3]; a.State != want {
			t.Errorf("%s is %s: %s", a.Name, a.State, a.Reason)
		}
	}
	f, err := m.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if st, _ := f.Stat(); st.Mode() != os.FileMode(0o640) {
		t.Errorf("mode %s", st.Mode())
	}
	if target, err := m.ReadLink("/dev/by/sda1-1"); target != "/dev/sda1" || m.Owners["/dev/sda1"] != [2]int{-1, 6} {
		t.Errorf("%s, %v, %v", target, err, m.Owners)
	}
}
