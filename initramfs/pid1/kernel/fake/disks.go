package fake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Op is what is done to a Disk.
type Op string

// The operations that Disk.Fail sees.
const (
	OpRead  Op = "read"
	OpWrite Op = "write" // also Zero and Discard
	OpSync  Op = "sync"
	OpTable Op = "table" // the partitions that the kernel knows
)

// Disk is a disk in memory. What was never written takes none. The exported fields are set before Machine.AddDisk.
type Disk struct {
	Name       string            // vda
	Bytes      int64             // its size
	SectorSize int64             // 0 is 512
	ReadOnly   bool              // writes fail
	Device     string            // its place below /sys; "" is that of a virtio disk, /devices/pci0000:00/vda/virtio0/block/vda
	Attributes map[string]string // more files below that, such as "serial" and "device/model"

	// Fail gives the error of an operation, or nil to let it pass. For a partition off is still that on the disk.
	Fail func(op Op, off, n int64) error

	mu      sync.Mutex
	chunks  map[int64]*[chunkSize]byte
	parts   map[int]extent
	gone    bool
	locked  bool
	machine *Machine
}

const chunkSize = 4096

type extent struct{ off, n int64 }

var errGone = fmt.Errorf("the disk has gone: %w", syscall.ENXIO)

// Size follows blob.Blob.
func (d *Disk) Size() int64 { return d.Bytes }

// ReadAt reads what is on the disk, and WriteAt changes it; neither fails by Fail.
func (d *Disk) ReadAt(p []byte, off int64) (int, error) {
	return d.each(p, off, func(p []byte, c *[chunkSize]byte, at int64) {
		if c == nil {
			clear(p)
		} else {
			copy(p, c[at:])
		}
	}, false)
}

// WriteAt follows ReadAt.
func (d *Disk) WriteAt(p []byte, off int64) (int, error) {
	return d.each(p, off, func(p []byte, c *[chunkSize]byte, at int64) { copy(c[at:], p) }, true)
}

// each calls do for the part of p that is in each chunk, which is made where make is set.
func (d *Disk) each(p []byte, off int64, do func(p []byte, c *[chunkSize]byte, at int64), create bool) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	done := 0
	for done < len(p) && off < d.Bytes {
		at := off % chunkSize
		n := min(chunkSize-at, int64(len(p)-done), d.Bytes-off)
		c := d.chunks[off/chunkSize]
		if c == nil && create {
			if d.chunks == nil {
				d.chunks = map[int64]*[chunkSize]byte{}
			}
			c = &[chunkSize]byte{}
			d.chunks[off/chunkSize] = c
		}
		do(p[done:done+int(n)], c, at)
		done, off = done+int(n), off+n
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// Fill writes the extents of b that are no holes to the start of the disk.
func (d *Disk) Fill(b blob.Blob) error {
	buf := make([]byte, chunkSize)
	for off := int64(0); off < b.Size(); off += chunkSize {
		p := buf[:min(chunkSize, b.Size()-off)]
		if err := blob.ReadFull(b, p, off); err != nil {
			return err
		}
		if d.chunks[off/chunkSize] == nil && len(strings.Trim(string(p), "\x00")) == 0 {
			continue
		}
		if _, err := d.WriteAt(p, off); err != nil {
			return err
		}
	}
	return nil
}

// Partitions are those that the kernel knows, each as its first byte and its size, by number.
func (d *Disk) Partitions() map[int][2]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	parts := map[int][2]int64{}
	for number, e := range d.parts {
		parts[number] = [2]int64{e.off, e.n}
	}
	return parts
}

// device is its place below /sys.
func (d *Disk) device() string {
	if d.Device != "" {
		return d.Device
	}
	return "/devices/pci0000:00/" + d.Name + "/virtio0/block/" + d.Name
}

// partName is the name of a partition: vda1, nvme0n1p1.
func (d *Disk) partName(number int) string {
	if last := d.Name[len(d.Name)-1]; last >= '0' && last <= '9' {
		return d.Name + "p" + strconv.Itoa(number)
	}
	return d.Name + strconv.Itoa(number)
}

// AddDisk plugs d in. Its partitions are those of the GPT on it. A disk that is added before the boot is below the /sys that
// is mounted then.
func (m *Machine) AddDisk(d *Disk) {
	d.machine = m
	m.mu.Lock()
	if m.disks == nil {
		m.disks = map[string]*Disk{}
	}
	m.disks[d.Name] = d
	m.mu.Unlock()
	files := map[string]string{"size": fmt.Sprintln(d.Bytes / 512), "ro": "0\n", "queue/logical_block_size": fmt.Sprintln(d.sector())}
	if d.ReadOnly {
		files["ro"] = "1\n"
	}
	maps.Copy(files, d.Attributes)
	m.addDevice(d.Name, d.device(), files)
	m.setSys("block/"+d.Name, "-> .."+d.device())
	m.Plug(kernel.Uevent{"ACTION": "add", "SUBSYSTEM": "block", "DEVTYPE": "disk", "DEVNAME": d.Name, "DEVPATH": d.device()})
	d.readTable()
}

// RemoveDisk unplugs the disk of that name; what has it open gets errors.
func (m *Machine) RemoveDisk(name string) {
	m.mu.Lock()
	d := m.disks[name]
	delete(m.disks, name)
	m.mu.Unlock()
	for number := range d.Partitions() {
		d.dropPartition(number)
	}
	d.mu.Lock()
	d.gone = true
	d.mu.Unlock()
	os.Remove(m.path("/sys/block/" + name))
	m.removeDevice(name, d.device())
	m.Plug(kernel.Uevent{"ACTION": "remove", "SUBSYSTEM": "block", "DEVTYPE": "disk", "DEVNAME": name, "DEVPATH": d.device()})
}

// addDevice makes the folder of a block device below /sys, and its node.
func (m *Machine) addDevice(name, device string, files map[string]string) {
	for file, content := range files {
		m.setSys(path.Join(device[1:], file), content)
	}
	m.setSys("class/block/"+name, "-> ../.."+device)
	m.fill("/dev", map[string]string{name: ""})
	m.setContent("devtmpfs", name, "")
}

func (m *Machine) removeDevice(name, device string) {
	os.RemoveAll(m.path("/sys" + device))
	os.Remove(m.path("/sys/class/block/" + name))
	os.Remove(m.path("/dev/" + name))
}

// setSys writes a file below /sys, now and where it is mounted later.
func (m *Machine) setSys(name, content string) {
	os.Remove(m.path("/sys/" + name))
	m.fill("/sys", map[string]string{name: content})
	m.setContent("sysfs", name, content)
}

// setContent adds a file to what appears with a mount.
func (m *Machine) setContent(fs, name, content string) {
	if m.Contents[fs] == nil {
		m.Contents[fs] = map[string]string{}
	}
	m.Contents[fs][name] = content
}

func (d *Disk) sector() int64 {
	if d.SectorSize == 0 {
		return 512
	}
	return d.SectorSize
}

// readTable makes the partitions of the GPT on the disk those that the kernel knows.
func (d *Disk) readTable() {
	for number := range d.Partitions() {
		d.dropPartition(number)
	}
	table, err := gpt.Read(d)
	if err != nil {
		return
	}
	for _, p := range table.Partitions {
		d.setPartition(p.Number, extent{p.Start, p.Size})
	}
}

func (d *Disk) setPartition(number int, e extent) {
	d.mu.Lock()
	action := "add"
	if _, there := d.parts[number]; there {
		action = "change"
	}
	if d.parts == nil {
		d.parts = map[int]extent{}
	}
	d.parts[number] = e
	d.mu.Unlock()
	name := d.partName(number)
	d.machine.addDevice(name, d.device()+"/"+name, map[string]string{
		"partition": fmt.Sprintln(number), "start": fmt.Sprintln(e.off / 512), "size": fmt.Sprintln(e.n / 512), "ro": "0\n",
	})
	d.plugPartition(action, name)
}

func (d *Disk) dropPartition(number int) {
	d.mu.Lock()
	delete(d.parts, number)
	d.mu.Unlock()
	name := d.partName(number)
	d.machine.removeDevice(name, d.device()+"/"+name)
	d.plugPartition("remove", name)
}

func (d *Disk) plugPartition(action, name string) {
	d.machine.Plug(kernel.Uevent{"ACTION": action, "SUBSYSTEM": "block", "DEVTYPE": "partition", "DEVNAME": name, "DEVPATH": d.device() + "/" + name})
}

// OpenDisk follows kernel.Disks.
func (m *Machine) OpenDisk(ctx context.Context, name string, a kernel.Access) (kernel.Disk, error) {
	node, err := filepath.EvalSymlinks(m.path(name))
	if err != nil {
		return nil, m.clean(err)
	}
	o, err := m.findDevice(filepath.Base(node))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	if a == kernel.Write {
		if err := o.d.lock(ctx); err != nil {
			return nil, fmt.Errorf("open %s: %w", name, err)
		}
		o.locked = true
	}
	return o, nil
}

// findDevice is the disk or partition of that name.
func (m *Machine) findDevice(name string) (*openDisk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.disks {
		if d.Name == name {
			return &openDisk{d: d, e: extent{0, d.Bytes}}, nil
		}
		for number, e := range d.Partitions() {
			if d.partName(number) == name {
				return &openDisk{d: d, e: extent{e[0], e[1]}}, nil
			}
		}
	}
	return nil, syscall.ENXIO
}

// Lock holds the lock of the disk, as another program would, until the function that it returns is called.
func (d *Disk) Lock() (unlock func()) {
	d.setLocked(true)
	return func() { d.setLocked(false) }
}

func (d *Disk) setLocked(to bool) (before bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, d.locked = d.locked, to
	return before
}

func (d *Disk) lock(ctx context.Context) error {
	for d.setLocked(true) {
		select {
		case <-ctx.Done():
			return kernel.ErrBusy
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// openDisk is an open disk or partition.
type openDisk struct {
	d      *Disk
	e      extent
	locked bool
}

// try is whether n bytes at off can be had; off is that of the open device.
func (o *openDisk) try(op Op, off, n int64) error {
	o.d.mu.Lock()
	gone, fail := o.d.gone, o.d.Fail
	o.d.mu.Unlock()
	switch {
	case gone:
		return errGone
	case op == OpWrite && o.d.ReadOnly:
		return syscall.EPERM
	case fail != nil:
		return fail(op, o.e.off+off, n)
	}
	return nil
}

func (o *openDisk) ReadAt(p []byte, off int64) (int, error) {
	if err := o.try(OpRead, off, int64(len(p))); err != nil {
		return 0, err
	}
	return blob.Slice(o.d, o.e.off, o.e.n).ReadAt(p, off)
}

func (o *openDisk) WriteAt(p []byte, off int64) (int, error) {
	if err := o.try(OpWrite, off, int64(len(p))); err != nil {
		return 0, err
	}
	if off < 0 || off+int64(len(p)) > o.e.n {
		return 0, syscall.ENOSPC
	}
	return o.d.WriteAt(p, o.e.off+off)
}

func (o *openDisk) Size() int64 { return o.e.n }

func (o *openDisk) Geometry() kernel.Geometry {
	return kernel.Geometry{SectorSize: o.d.sector(), ReadOnly: o.d.ReadOnly}
}

func (o *openDisk) Sync() error { return o.try(OpSync, 0, o.e.n) }

// Zero follows kernel.Disk and gives the memory back.
func (o *openDisk) Zero(off, n int64) error {
	if off%o.d.sector() != 0 || n%o.d.sector() != 0 {
		return syscall.EINVAL
	}
	for n > 0 {
		step := min(n, chunkSize)
		if _, err := o.WriteAt(make([]byte, step), off); err != nil {
			return err
		}
		off, n = off+step, n-step
	}
	return nil
}

// Discard follows kernel.Disk: nothing on these disks can be discarded.
func (*openDisk) Discard(_, _ int64) error { return errors.ErrUnsupported }

func (o *openDisk) AddPartition(number int, off, n int64) error {
	if err := o.table(number, off, n); err != nil {
		return err
	}
	if _, there := o.d.Partitions()[number]; there {
		return syscall.EBUSY
	}
	o.d.setPartition(number, extent{off, n})
	return nil
}

func (o *openDisk) ResizePartition(number int, off, n int64) error {
	if err := o.table(number, off, n); err != nil {
		return err
	}
	if e, there := o.d.Partitions()[number]; !there || e[0] != off {
		return syscall.ENXIO
	}
	o.d.setPartition(number, extent{off, n})
	return nil
}

// table is whether partition number may be n bytes at off.
func (o *openDisk) table(number int, off, n int64) error {
	if err := o.try(OpTable, off, n); err != nil {
		return err
	}
	if off < 0 || n <= 0 || off+n > o.d.Bytes || off%o.d.sector() != 0 || n%o.d.sector() != 0 {
		return syscall.EINVAL
	}
	for other, e := range o.d.Partitions() {
		if other != number && off < e[0]+e[1] && e[0] < off+n {
			return syscall.EBUSY
		}
	}
	return nil
}

func (o *openDisk) DeletePartition(number int) error {
	if err := o.try(OpTable, 0, 0); err != nil {
		return err
	}
	if _, there := o.d.Partitions()[number]; !there {
		return syscall.ENXIO
	}
	o.d.dropPartition(number)
	return nil
}

func (o *openDisk) RereadPartitions() error {
	if err := o.try(OpTable, 0, 0); err != nil {
		return err
	}
	o.d.readTable()
	return nil
}

func (o *openDisk) Close() error {
	if o.locked {
		o.locked = false
		o.d.setLocked(false)
	}
	return nil
}
