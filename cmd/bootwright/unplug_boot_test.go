package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/volumes"
)

// steps does things to a machine when it reports what they wait for, one after the other.
type steps struct {
	line []byte
	next []step
}

// step waits for a report, and does something.
type step struct {
	when func(*bootreport.Report) bool
	do   func(*bootreport.Report) error
}

// Write gets the machine's console. An error, of something that could not be done, ends the machine.
func (s *steps) Write(p []byte) (int, error) {
	for rest := p; ; {
		piece, after, whole := bytes.Cut(rest, []byte("\n"))
		s.line = append(s.line, piece...)
		if !whole {
			return len(p), nil
		}
		if r, err := bootreport.Find(append(s.line, '\n')); err == nil && len(s.next) > 0 && s.next[0].when(r) {
			if err := s.next[0].do(r); err != nil {
				return 0, err
			}
			s.next = s.next[1:]
		}
		s.line, rest = s.line[:0], after
	}
}

// TestBootUnplugged pulls two disks out of a machine, one with a volume that is mounted, and plugs them in again. The machine stays up and
// says what is missing; the volume comes back with its disk.
func TestBootUnplugged(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	const device = "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_DATA"
	initrd := configured(t, "  disks: [{device: "+device+", partitions: [{mountpoint: /var/mnt/data}]}]\n")
	o := direct(built(t, "kernel", "amd64"), initrd, regexp.MustCompile(`"serial":"AGAIN"`))(blankSystem(t), "")
	o.Writable, o.Timeout = false, 0
	socket := filepath.Join(t.TempDir(), "qmp")
	o.ExtraArgs = []string{"-qmp", "unix:" + socket + ",server=on,wait=off"}
	for i, d := range []string{"nvme,serial=DATA", "virtio-blk-pci,serial=IDLE"} { // the ports of the root complex take none while it runs
		file := oracle.File(t, blob.Zeros(512<<20))
		o.ExtraArgs = append(o.ExtraArgs, "-blockdev", fmt.Sprintf("raw,node-name=disk%d,file.driver=file,file.filename=%s", i, file),
			"-device", fmt.Sprintf("pcie-root-port,id=port%d,slot=%[1]d,chassis=%[1]d", i), "-device", fmt.Sprintf("%s,id=plug%d,drive=disk%[2]d,bus=port%[2]d", d, i))
	}
	tell := func(command string, arguments map[string]any) func(*bootreport.Report) error {
		return func(*bootreport.Report) error { return tellQEMU(socket, command, arguments) }
	}
	has := func(r *bootreport.Report, serial string) bool {
		return slices.ContainsFunc(r.Disks, func(d bootreport.Disk) bool { return d.Serial == serial })
	}
	data := func(r *bootreport.Report) (v bootreport.Volume) {
		if i := slices.IndexFunc(r.Volumes, func(v bootreport.Volume) bool { return v.ID == device+"-1" }); i >= 0 {
			v = r.Volumes[i]
		}
		return v
	}
	mounted := func(r *bootreport.Report) bool {
		return data(r).Phase == string(volumes.Ready) && slices.ContainsFunc(r.Mounts, func(m bootreport.Mount) bool { return m.Target == "/var/mnt/data" && m.Source == data(r).Location })
	}
	var without *bootreport.Report
	s := &steps{next: []step{
		{mounted, tell("device_del", map[string]any{"id": "plug1"})},
		{func(r *bootreport.Report) bool { return !has(r, "IDLE") && mounted(r) }, tell("device_del", map[string]any{"id": "plug0"})},
		{func(r *bootreport.Report) bool {
			return !has(r, "DATA") && data(r).Phase != string(volumes.Ready) && !mounted(r)
		}, func(r *bootreport.Report) error {
			without = r
			return tellQEMU(socket, "device_add", map[string]any{"driver": "nvme", "id": "plug0", "drive": "disk0", "bus": "port0", "serial": "DATA"})
		}},
		{mounted, tell("device_add", map[string]any{"driver": "virtio-blk-pci", "id": "plug1", "drive": "disk1", "bus": "port1", "serial": "AGAIN"})},
	}}
	o.Serial = s
	console := vmtest.Boot(t, o)
	if len(s.next) > 0 {
		t.Fatalf("%d steps are left:\n%s", len(s.next), said(console))
	}
	t.Logf("without its disk: %+v", data(without))
	if v := data(without); v.Location != "" || !strings.Contains(v.Reason, device) {
		t.Errorf("without its disk: %+v", v)
	}
	if t.Failed() {
		t.Log(said(console))
	}
}
