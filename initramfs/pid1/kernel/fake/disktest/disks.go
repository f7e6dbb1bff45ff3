package disktest

import (
	"context"
	"fmt"
	"maps"
	"path"
	"sync"
	"syscall"

	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
)

// Host is the machine that disks are plugged into.
type Host interface {
	Put(name, content string)            // makes a file below /sys or /dev; one that begins with "-> " is a symbolic link
	Delete(name string)                  // takes a file or folder away
	Resolve(name string) (string, error) // follows symbolic links
	Plug(e kernel.Uevent)
}

// Disks are the disks of a machine, a kernel.Disks but for Remove.
type Disks struct {
	host  Host
	mu    sync.Mutex
	disks map[string]*Disk // by name
}

// New has no disks yet.
func New(host Host) *Disks { return &Disks{host: host, disks: map[string]*Disk{}} }

// AddDisk plugs d in. Its partitions are those of the GPT on it. A disk that is added before the boot is below the /sys that
// is mounted then.
func (all *Disks) AddDisk(d *Disk) {
	d.host = all.host
	all.mu.Lock()
	all.disks[d.Name] = d
	all.mu.Unlock()
	files := map[string]string{"size": fmt.Sprintln(d.Bytes / 512), "ro": "0\n", "queue/logical_block_size": fmt.Sprintln(d.sector())}
	if d.ReadOnly {
		files["ro"] = "1\n"
	}
	maps.Copy(files, d.Attributes)
	d.addDevice(d.Name, d.device(), files)
	d.host.Put("/sys/block/"+d.Name, "-> .."+d.device())
	d.plug("add", "disk", d.Name, d.device())
	d.readTable()
}

// RemoveDisk unplugs the disk of that name; what has it open gets errors.
func (all *Disks) RemoveDisk(name string) {
	all.mu.Lock()
	d := all.disks[name]
	delete(all.disks, name)
	all.mu.Unlock()
	for number := range d.Partitions() {
		d.dropPartition(number)
	}
	d.mu.Lock()
	d.gone = true
	d.mu.Unlock()
	d.host.Delete("/sys/block/" + name)
	d.removeDevice(name, d.device())
	d.plug("remove", "disk", name, d.device())
}

// OpenDisk follows kernel.Disks.
func (all *Disks) OpenDisk(ctx context.Context, name string, a kernel.Access) (kernel.Disk, error) {
	node, err := all.host.Resolve(name)
	if err != nil {
		return nil, err
	}
	o, err := all.findDevice(path.Base(node))
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
func (all *Disks) findDevice(name string) (*openDisk, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, d := range all.disks {
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

// addDevice makes the folder of a block device below /sys, and its node.
func (d *Disk) addDevice(name, device string, files map[string]string) {
	for file, content := range files {
		d.host.Put(path.Join("/sys", device, file), content)
	}
	d.host.Put("/sys/class/block/"+name, "-> ../.."+device)
	d.host.Put("/dev/"+name, "")
}

func (d *Disk) removeDevice(name, device string) {
	d.host.Delete("/sys" + device)
	d.host.Delete("/sys/class/block/" + name)
	d.host.Delete("/dev/" + name)
}

func (d *Disk) plug(action, kind, name, device string) {
	d.host.Plug(kernel.Uevent{"ACTION": action, "SUBSYSTEM": "block", "DEVTYPE": kind, "DEVNAME": name, "DEVPATH": device})
}

// readTable makes the partitions of the GPT on the disk those that the kernel knows. It reads no backup, and no table of a larger disk.
func (d *Disk) readTable() {
	for number := range d.Partitions() {
		d.dropPartition(number)
	}
	table, err := gpt.Read(d)
	if err != nil || table.RecoveredFromBackup || table.DiskSize > d.Bytes {
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
	d.addDevice(name, d.device()+"/"+name, map[string]string{
		"partition": fmt.Sprintln(number), "start": fmt.Sprintln(e.off / 512), "size": fmt.Sprintln(e.n / 512), "ro": "0\n",
	})
	d.plug(action, "partition", name, d.device()+"/"+name)
}

func (d *Disk) dropPartition(number int) {
	d.mu.Lock()
	delete(d.parts, number)
	d.mu.Unlock()
	name := d.partName(number)
	d.removeDevice(name, d.device()+"/"+name)
	d.plug("remove", "partition", name, d.device()+"/"+name)
}
