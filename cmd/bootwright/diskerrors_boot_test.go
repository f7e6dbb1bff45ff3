package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/layout"
)

// failing is a disk of QEMU whose requests of a kind (read, write, flush) all fail with EIO.
func failing(disk, kind string) []string {
	return []string{
		"-blockdev", `{"driver":"raw","node-name":"good","file":{"driver":"file","filename":"` + disk + `"}}`,
		"-blockdev", `{"driver":"blkdebug","node-name":"bad","image":"good","inject-error":[{"event":"none","iotype":"` + kind + `","errno":5,"once":false,"immediately":true}]}`,
		"-device", "virtio-blk-pci,drive=bad,werror=report,rerror=report",
	}
}

// TestBootDiskErrors boots machines whose disk fails: at once when volumes are to be made, or when its volumes have been mounted. They stay
// up, and the log and the report name the disk.
func TestBootDiskErrors(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	start, blank := direct(built(t, "kernel", "amd64"), configured(t, ""), volumesUp("")), blankSystem(t)
	used := filepath.Join(t.TempDir(), "used")
	sparse(t, blank, used)
	vmtest.Boot(t, start(used, ""))
	for name, c := range map[string]struct{ disk, volume, says string }{
		"at first": {blank, layout.State, "sync /dev/vda: input/output error"},
		"later":    {used, layout.Ephemeral, "the file system of /dev/vda4 has stopped: open /var: input/output error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := start("", "")
			o.Writable, o.ExtraArgs = false, failing(c.disk, "flush")
			o.Until = regexp.MustCompile(bootreport.Prefix + `.*"id":"` + c.volume + `"[^{}]*"phase":"failed".*"readyMs":\d+.*\}\r`)
			console := vmtest.Boot(t, o)
			r := lastReport(t, console)
			for _, v := range r.Volumes {
				if v.ID == c.volume && !strings.HasSuffix(v.Reason, c.says) {
					t.Errorf("%+v", v)
				}
			}
			if logged := "warning: volume " + c.volume + ": "; !strings.Contains(console, logged) || !strings.Contains(console, c.says) || !strings.Contains(console, bootreport.Ready) {
				t.Error(said(console))
			}
		})
	}
}
