package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/probe"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/config/check"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/configarea/configareatest"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
	"github.com/bootwright/bootwright/machine/volumes/volumestest"
)

// TestBootLayouts boots machines of the planner's table of layouts: what it says becomes of them is what the kernel, mkfs.xfs
// and cryptsetup have made of their disks. Without BOOTWRIGHT_LAYOUTS=all it is the machines that have most to do.
func TestBootLayouts(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	kernel, initrd := built(t, "kernel", "amd64"), built(t, "initramfs", "amd64")
	booted := 0
	for _, c := range volumestest.Cases(t, "../../machine/volumes/testdata") {
		l := newTableMachine(t, c)
		if why := l.unfit(); why != "" {
			t.Logf("%s is not booted: %s", c.Name, why)
			continue
		}
		if !slices.Contains([]string{"many-disks", "grow-max", "wipe-moves-ephemeral"}, c.Name) && os.Getenv("BOOTWRIGHT_LAYOUTS") != "all" {
			continue
		}
		booted++
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			l.boot(t, kernel, initrd)
		})
	}
	if booted < 3 {
		t.Errorf("%d machines are booted", booted)
	}
	t.Logf("%d machines are booted", booted)
}

// tableMachine is a machine of the table.
type tableMachine struct {
	volumestest.Case
	before, after volumes.Machine
	last          volumes.Plan
	files         map[string]string // with what is on the disks, by name
}

func newTableMachine(t *testing.T, c volumestest.Case) *tableMachine {
	t.Helper()
	m, err := volumes.ParseDescription(c.Name, c.Disks)
	if err == nil {
		m.Wipe, err = volumes.ParseWipe(c.Wipe)
	}
	for i, v := range m.Volumes {
		if v.Error != "" { // what the kernel adds to it
			m.Volumes[i].Error = fmt.Sprintf("read 256 bytes at 0: read %s: %s", v.DevPath, v.Error)
		}
	}
	l := &tableMachine{Case: c, files: map[string]string{}}
	if err == nil && c.Config != nil {
		m.Config, err = config.Load(c.Name, l.complete())
	}
	if err != nil {
		t.Fatal(err)
	}
	l.before = m
	return l
}

// unfit is why QEMU has no such machine.
func (l *tableMachine) unfit() string {
	if l.Config != nil {
		if _, findings := config.Check(l.Name, l.complete(), check.Options{Mode: check.Metal}); findings.Err() != nil {
			return "its configuration is refused before"
		}
	}
	kinds := map[string]int{}
	for _, d := range l.before.Disks {
		kind := d.Name[:2]
		kinds[kind]++
		switch {
		case kinds[kind] > 1 && bytes.Contains(l.Config, []byte("device: /dev/"+kind)):
			return "its configuration has a name that the kernel gives by chance"
		case d.UUID != "":
			return "its disk has a UUID of its own"
		case strings.HasPrefix(d.Name, "nvme") && d.ReadOnly:
			return "QEMU has no NVMe disk that is read-only"
		}
	}
	for _, v := range l.before.Volumes {
		switch encrypted := bytes.Contains(l.Config, []byte("luks2")) || l.Meta != ""; {
		case v.Error != "" && v.Type == blockdev.TypeDisk:
			return "its disk cannot be read"
		case v.Name == probe.LUKS && encrypted && !strings.HasPrefix(v.PartitionLabel, "making "):
			return "an encrypted partition with a file system cannot be made without a kernel; TestBootEncrypted has it"
		}
	}
	return ""
}

// boot boots the machine, once, and compares.
func (l *tableMachine) boot(t *testing.T, kernel, initrd string) {
	t.Helper()
	l.make(t)
	before := l.probed(t).Volumes
	console := l.start(t, kernel, initrd, l.until())
	l.checkReport(t, l.report(t, console))
	l.checkDisks(t, before)
	if t.Failed() {
		t.Logf("%s", console)
	}
}

// make makes the disks.
func (l *tableMachine) make(t *testing.T) {
	t.Helper()
	for _, d := range l.before.Disks {
		l.files[d.Name] = l.write(t, d)
	}
}

// start starts the machine with its disks as they are, and returns its console.
func (l *tableMachine) start(t *testing.T, kernel, initrd string, until *regexp.Regexp) []byte {
	t.Helper()
	args := []string{"-uuid", "7e0f9c51-8d24-4a6b-b3e5-1c9d60a2f748", "-device", "virtio-scsi-pci,id=scsi", "-device", "ich9-ahci,id=ahci", "-device", "qemu-xhci,id=usb"}
	for _, d := range l.before.Disks {
		args = append(args, l.attached(d)...)
	}
	var console bytes.Buffer
	options := vm.Options{
		Kernel: kernel, Initrd: l.configured(t, initrd), Append: "console=ttyS0 quiet talos.platform=metal", ExtraArgs: args, Until: until,
		Serial: &console,
	}
	if l.Wipe != "" {
		options.Append += " talos.experimental.wipe=" + l.Wipe
	}
	_, err := vmtest.Try(t, options)
	if err != nil && bytes.Contains(console.Bytes(), []byte("timeout, completion polled")) {
		t.Log("QEMU's NVMe disk lost its interrupts; once more")
		console.Reset()
		_, err = vmtest.Try(t, options)
	}
	if err != nil {
		t.Errorf("%.200s…", err)
	}
	console.WriteByte('\n')
	return console.Bytes()
}

// complete is the configuration with what it needs to be valid.
func (l *tableMachine) complete() []byte {
	const kind = "  type: worker\n"
	_, more, _ := strings.Cut(configareatest.Worker(l.Name), kind)
	more, _, _ = strings.Cut(more, "cluster:")
	more = strings.Replace(more, "/dev/sda", "/dev/nowhere", 1) // where it would be installed to
	return []byte(strings.Replace(string(l.Config), kind, kind+more, 1))
}

// configured is an initramfs with the machine's configuration.
func (l *tableMachine) configured(t *testing.T, initrd string) string {
	t.Helper()
	if l.Config == nil {
		return initrd
	}
	entries := []configarea.Entry{{Match: configarea.Default, Config: l.complete()}}
	area, err := configarea.Encode(entries, configarea.Size(entries))
	if err != nil {
		t.Fatal(err)
	}
	files := &tree.Tree{}
	files.File(configarea.EmbeddedPath, 0o600, blob.Bytes(area))
	archive, err := cpio.Format(files, cpio.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := blob.OpenFile(initrd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return oracle.File(t, blob.Concat(blob.Part("initramfs", f), blob.Padding(f.Size(), 4), blob.Part("config", archive)))
}

// until is the report in which all volumes have come as far as they are to.
func (l *tableMachine) until() *regexp.Regexp {
	_, l.after, l.last = volumes.Simulate(l.before)
	var want strings.Builder
	for _, v := range l.last.Volumes {
		fmt.Fprintf(&want, `"id":"%s","version":\d+,"phase":"%s".*`, regexp.QuoteMeta(v.ID), v.Phase)
	}
	return regexp.MustCompile(`"volumes":\[.*` + want.String() + `"readyMs":\d+.*\}`)
}

// report is what the machine says, with the disks' names of the table: kernels give them in the order in which drivers are done.
func (l *tableMachine) report(t *testing.T, console []byte) *bootreport.Report {
	t.Helper()
	r, err := bootreport.Find(console)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range r.Disks {
		for _, want := range l.before.Disks {
			if d.Serial == serial(want) && uint64(d.Size) == want.Size {
				names = append(names, d.Name, want.Name)
			}
		}
	}
	renamed := strings.NewReplacer(names...)
	for i := range r.Volumes {
		v := &r.Volumes[i]
		v.Location, v.Reason = renamed.Replace(v.Location), renamed.Replace(v.Reason)
		for j := range v.Disks {
			v.Disks[j].Disk = renamed.Replace(v.Disks[j].Disk)
		}
	}
	return r
}

// sameWords compares texts in which disks are named in the order of names that have changed.
func sameWords(a, b string) bool {
	words := func(s string) []string {
		return slices.Sorted(strings.FieldsFuncSeq(s, func(r rune) bool { return r == ' ' || r == ',' }))
	}
	return slices.Equal(words(a), words(b))
}

func serial(d blockdev.Disk) string { return cmp.Or(d.Serial, "disk-"+d.Name) }

// checkReport: the machine says what the planner said.
func (l *tableMachine) checkReport(t *testing.T, r *bootreport.Report) {
	t.Helper()
	for i, v := range r.Volumes {
		want := l.last.Volumes[i]
		if v.Phase != string(want.Phase) {
			t.Errorf("%s is %s, want %s", v.ID, v.Phase, want.Phase)
		}
		if v.Location != want.Location || !sameWords(v.Reason, want.Reason) || v.Size != want.Size && v.ID != "META" {
			t.Errorf("%s: %s %d %q, want %s %d %q", v.ID, v.Location, v.Size, v.Reason, want.Location, want.Size, want.Reason)
		}
		var verdicts []string
		for _, d := range want.Verdicts {
			if want.Phase != volumes.Ready && d.Reason != "" {
				verdicts = append(verdicts, d.Disk+": "+d.Reason)
			}
		}
		for _, d := range v.Disks {
			if j := slices.Index(verdicts, d.Disk+": "+d.Reason); j < 0 {
				t.Errorf("%s: %s: %s, want one of %q", v.ID, d.Disk, d.Reason, verdicts)
			} else {
				verdicts = slices.Delete(verdicts, j, j+1)
			}
		}
		if len(verdicts) > 0 {
			t.Errorf("%s: not said: %q", v.ID, verdicts)
		}
	}
}

// checkDisks: the disks are what the planner said, and what was to be kept is the same file system.
func (l *tableMachine) checkDisks(t *testing.T, before []blockdev.Volume) {
	t.Helper()
	after := l.probed(t)
	if got, want := after.Layout(), l.after.Layout(); got != want {
		t.Errorf("the disks are\n%s\nwant\n%s", got, want)
	}
	for _, v := range after.Volumes {
		if v.Table != nil && v.Table.DiskSize == v.Size && !v.Table.Recovered && !v.Table.BackupDamaged {
			if out := oracle.Run(t, "sgdisk", "-v", l.files[v.ID]); !strings.Contains(out, "No problems found") {
				t.Error(out)
			}
		}
		if v.UUID == "" || l.Wipe != "" {
			continue
		}
		i := slices.IndexFunc(before, func(o blockdev.Volume) bool { return o.ID == v.ID && !strings.HasPrefix(o.PartitionLabel, "making ") })
		if i >= 0 && before[i].Name != "" && before[i].UUID != v.UUID {
			t.Errorf("%s held %s %s and now holds %s %s", v.ID, before[i].Name, before[i].UUID, v.Name, v.UUID)
		}
	}
}

// attached is a disk of QEMU whose name is the machine's.
func (l *tableMachine) attached(d blockdev.Disk) []string {
	device := fmt.Sprintf("virtio-blk-pci,logical_block_size=%d,physical_block_size=%[1]d", d.SectorSize)
	switch {
	case d.CDROM:
		device = "scsi-cd,bus=scsi.0"
	case strings.HasPrefix(d.Name, "nvme"):
		device = "nvme"
	case d.Transport == blockdev.SATA:
		device = "ide-hd,bus=ahci.0"
	case d.Transport == blockdev.USB:
		device = "usb-storage,bus=usb.0"
	case strings.HasPrefix(d.Name, "sd"):
		device = "scsi-hd,bus=scsi.0"
	}
	drive := "if=none,format=raw,cache=unsafe,id=" + d.Name + ",file=" + l.files[d.Name]
	for _, v := range l.before.Volumes {
		if v.Parent == d.Name && v.Error != "" {
			drive = fmt.Sprintf("if=none,cache=unsafe,id=%s,driver=blkdebug,image.driver=raw,image.file.driver=file,image.file.filename=%s,"+
				"inject-error.0.event=none,inject-error.0.immediately=on,inject-error.0.iotype=read,inject-error.0.errno=5,inject-error.0.sector=%d",
				d.Name, l.files[d.Name], v.Offset/512)
		}
	}
	if d.ReadOnly {
		drive += ",readonly=on"
	}
	return []string{"-drive", drive, "-device", device + ",drive=" + d.Name + ",serial=" + serial(d)}
}

// write makes a file with what is on a disk before the machine starts.
func (l *tableMachine) write(t *testing.T, d blockdev.Disk) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), d.Name)
	f, err := os.Create(path)
	if err == nil {
		err = f.Truncate(int64(d.Size))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var parts []gpt.Partition
	var table *blockdev.Table
	for _, v := range l.before.Volumes {
		switch {
		case v.ID == d.Name:
			if table = v.Table; table == nil {
				fill(t, f, v)
			}
		case v.Parent == d.Name:
			fill(t, f, v)
			parts = append(parts, gpt.Partition{Number: int(v.PartitionIndex), Name: v.PartitionLabel, Type: gpt.LinuxFilesystem(), Start: int64(v.Offset), Size: int64(v.Size)})
		}
	}
	if table != nil {
		writeTable(t, f, *table, parts, int(d.SectorSize))
	}
	return path
}

// writeTable writes a partition table, with the damage that it is to have.
func writeTable(t *testing.T, f *os.File, table blockdev.Table, parts []gpt.Partition, sector int) {
	t.Helper()
	image, err := gpt.Format(parts, gpt.Options{Size: int64(table.DiskSize), SectorSize: sector})
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range image.Extents() {
		p, err := blob.ReadAll(e.Blob, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if e.Name == "gpt" && table.Recovered || e.Name == "gpt-backup" && table.BackupDamaged {
			clear(p)
		}
		if e.Offset < st.Size() { // the disk may have shrunk
			if _, err := f.WriteAt(p, e.Offset); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// fill writes what a volume holds, made by the program that makes such things.
func fill(t *testing.T, f *os.File, v blockdev.Volume) {
	t.Helper()
	var args []string
	switch v.Name {
	case "xfs":
		args = append([]string{"mkfs.xfs"}, volumes.MkfsArgs(volumes.Spec{}, "FILE", v.Size)...)
	case "ext4":
		args = []string{"mke2fs", "-q", "-t", "ext4", "FILE"}
	case "vfat":
		args = []string{"mkfs.fat", "FILE"}
	case "swap":
		args = []string{"mkswap", "-q", "FILE"}
	case "iso9660":
		args = []string{"xorriso", "-as", "mkisofs", "-quiet", "-V", "DISC", "-o", "FILE", t.TempDir()}
	case "luks":
		args = strings.Fields("cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file KEY FILE")
	case "talosmeta":
		p, err := meta.Encode(meta.Values{meta.UserReserved1: []byte("x")})
		if err == nil {
			_, err = f.WriteAt(p, int64(v.Offset))
		}
		if err != nil {
			t.Fatal(err)
		}
		return
	default:
		if !v.Blank {
			if _, err := f.WriteAt(bytes.Repeat([]byte("nobody knows "), 5000), int64(v.Offset)); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	size := int64(v.Size) >> 20
	if v.Name == "iso9660" {
		size = 1 // it grows
	}
	copyData(t, f, int64(v.Offset), madeBy(t, size, args...))
}

// copyData copies a file without its holes.
func copyData(t *testing.T, to *os.File, at int64, path string) {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	for end := int64(0); ; {
		start, err := unix.Seek(int(from.Fd()), end, unix.SEEK_DATA)
		if err != nil { // ENXIO: no more
			return
		}
		if end, err = unix.Seek(int(from.Fd()), start, unix.SEEK_HOLE); err != nil {
			t.Fatal(err)
		}
		p := make([]byte, end-start)
		if _, err := from.ReadAt(p, start); err != nil {
			t.Fatal(err)
		}
		if _, err := to.WriteAt(p, at+start); err != nil {
			t.Fatal(err)
		}
	}
}

// probed is what is on the disks, as they are.
func (l *tableMachine) probed(t *testing.T) (m volumes.Machine) {
	t.Helper()
	m.Disks = l.before.Disks
	for _, d := range m.Disks {
		f, err := blob.OpenFile(l.files[d.Name])
		if err != nil {
			t.Fatal(err)
		}
		whole := probedVolume(t, f, blockdev.Volume{ID: d.Name, Type: blockdev.TypeDisk, Size: d.Size})
		m.Volumes = append(m.Volumes, whole)
		at := len(m.Volumes) - 1
		if whole.Name == probe.GPT {
			table, err := gpt.Read(f)
			if err != nil {
				t.Fatal(err)
			}
			m.Volumes[at].Table = &blockdev.Table{
				FirstUsable: uint64(table.FirstUsable), EndUsable: uint64(table.EndUsable), DiskSize: uint64(table.DiskSize),
				Recovered: table.RecoveredFromBackup, BackupDamaged: table.BackupDamaged,
			}
			for _, p := range table.Partitions {
				v := blockdev.Volume{
					ID: volumes.PartitionName(d.Name, p.Number), Type: blockdev.TypePartition, Parent: d.Name, Offset: uint64(p.Start), Size: uint64(p.Size),
					PartitionLabel: p.Name, PartitionIndex: uint32(p.Number),
				}
				v = probedVolume(t, blob.Slice(f, p.Start, p.Size), v)
				i := slices.IndexFunc(l.before.Volumes, func(o blockdev.Volume) bool { return o.ID == v.ID })
				if i >= 0 && l.before.Volumes[i].Error != "" {
					v.Name, v.Error = "", l.before.Volumes[i].Error
				}
				m.Volumes = append(m.Volumes, v)
			}
		}
		f.Close()
	}
	return m
}

func probedVolume(t *testing.T, b blob.Blob, v blockdev.Volume) blockdev.Volume {
	t.Helper()
	found, err := probe.Probe(b)
	if err != nil {
		t.Fatal(err)
	}
	v.Name, v.UUID, v.Blank = found.Name, found.UUID, found.Blank
	return v
}
