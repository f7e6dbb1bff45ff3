// Package disktest has disks in memory, and a kernel.Disks of them.
package disktest

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
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

// Disk is a disk in memory. What was never written takes none. The exported fields are set before Disks.AddDisk.
type Disk struct {
	Name       string            // vda
	Bytes      int64             // its size
	SectorSize int64             // 0 is 512
	ReadOnly   bool              // writes fail
	Device     string            // its place below /sys; "" is that of a virtio disk, /devices/pci0000:00/vda/virtio0/block/vda
	Attributes map[string]string // more files below that, such as "serial" and "device/model"

	// Fail gives the error of an operation, or nil to let it pass. For a partition off is still that on the disk.
	Fail func(op Op, off, n int64) error

	mu     sync.Mutex
	chunks map[int64]*[chunkSize]byte
	parts  map[int]extent
	gone   bool
	locked bool
	host   Host
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

// zero makes n bytes of one chunk zeros.
func (d *Disk) zero(off, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n == chunkSize {
		delete(d.chunks, off/chunkSize)
	} else if c := d.chunks[off/chunkSize]; c != nil {
		clear(c[off%chunkSize:][:n])
	}
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

func (d *Disk) sector() int64 {
	if d.SectorSize == 0 {
		return 512
	}
	return d.SectorSize
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
