package volumes

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/initramfs/pid1/disks"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
	"github.com/bootwright/bootwright/machine/volumes"
)

const (
	mib = 1 << 20
	gib = 1 << 30
)

// xfsMachine is a fake machine whose mkfs.xfs, xfs_growfs and mount know a superblock, and keep a mark for the data of
// somebody.
type xfsMachine struct {
	*fake.Machine
	t       *testing.T
	stopped atomic.Bool // the file system on /var

	unflushed []string // files of the volume for /var that a power cut takes
	replaced  []string // the others that were written there
}

func (m *xfsMachine) WriteFile(name string, data []byte, perm fs.FileMode) error {
	if rel, ok := strings.CutPrefix(name, staging+"/"); ok {
		m.unflushed = append(m.unflushed, rel)
	}
	return m.Machine.WriteFile(name, data, perm)
}

func (m *xfsMachine) ReplaceFile(root, name string, data []byte, mode fs.FileMode) error {
	if root == staging {
		m.replaced = append(m.replaced, name)
	}
	return m.Machine.ReplaceFile(root, name, data, mode)
}

// powerCut takes what was written to the volume on /var and not flushed.
func (m *xfsMachine) powerCut() {
	for _, name := range m.unflushed {
		m.Machine.WriteFile("/var/"+name, nil, 0)
	}
}

func (m *xfsMachine) ReadDir(name string) ([]fs.DirEntry, error) {
	if m.stopped.Load() && name == "/var" {
		return nil, syscall.EIO
	}
	return m.Machine.ReadDir(name)
}

// mark is what is committed to a file system when it is mounted, and where.
const (
	mark   = "somebody's data"
	markAt = 8 * mib
)

func newMachine(t *testing.T, disk *fake.Disk) *xfsMachine {
	m := &xfsMachine{Machine: fake.New(t, map[string]string{"var/lib/early": "early", "var/run": "-> /run", "var/log/": ""}), t: t}
	m.Programs[mkfs] = func(ctx context.Context, c kernel.Command) error { return m.mkfs(ctx, c.Args[len(c.Args)-1]) }
	m.Programs[growfs] = func(ctx context.Context, c kernel.Command) error { return m.growfs(ctx, c.Args[0]) }
	m.AddDisk(disk)
	return m
}

func superblock(size int64) []byte {
	p := make([]byte, 512)
	copy(p, "XFSB")
	binary.BigEndian.PutUint32(p[4:], 4096)
	binary.BigEndian.PutUint64(p[8:], uint64(size/4096))
	p[32] = 1
	binary.BigEndian.PutUint16(p[100:], 4)
	binary.BigEndian.PutUint16(p[102:], 512)
	return p
}

// mkfs writes groups, and as the real one the superblock last and without a flush between.
func (m *xfsMachine) mkfs(ctx context.Context, device string) error {
	d, err := m.OpenDisk(ctx, device, kernel.Write)
	if err != nil {
		return err
	}
	defer d.Close()
	for at := int64(4 * mib); at < 12*mib; at += 2 * mib {
		if _, err := d.WriteAt(bytes.Repeat([]byte{'g'}, 4096), at); err != nil {
			return err
		}
	}
	if _, err := d.WriteAt(superblock(d.Size()), 0); err != nil {
		return err
	}
	return d.Sync()
}

func (m *xfsMachine) growfs(ctx context.Context, dir string) error {
	i := slices.IndexFunc(m.Mounts, func(mt kernel.Mount) bool { return mt.Target == dir || mt.Target == staging && dir == "/var" })
	if i < 0 {
		return fmt.Errorf("%s is not mounted", dir)
	}
	d, err := m.OpenDisk(ctx, m.Mounts[i].Source, kernel.Write)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.WriteAt(superblock(d.Size()), 0); err != nil {
		return err
	}
	return d.Sync()
}

// Mount checks that the file system is whole, and that what was committed to it is there.
func (m *xfsMachine) Mount(mt kernel.Mount) error {
	d, err := m.OpenDisk(m.t.Context(), mt.Source, kernel.Write)
	if err != nil {
		return err
	}
	defer d.Close()
	p := make([]byte, 4096)
	for at := int64(4 * mib); at < 12*mib; at += 2 * mib {
		if _, err := d.ReadAt(p, at); err != nil || p[0] != 'g' && string(p[:len(mark)]) != mark {
			return fmt.Errorf("structure needs cleaning: %q at %d, %v", p[:8], at, err)
		}
	}
	if _, err := d.ReadAt(p, 0); err != nil || string(p[:4]) != "XFSB" || int64(binary.BigEndian.Uint64(p[8:]))*4096 > d.Size() {
		return errors.New("wrong superblock")
	}
	if _, err := d.WriteAt([]byte(mark+strings.Repeat(" ", 4096-len(mark))), markAt); err != nil {
		return err
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return m.Machine.Mount(mt)
}

// logger is a Log.
type logger struct {
	guard sync.Mutex
	lines []string
}

func (l *logger) Infof(format string, args ...any) {
	l.say(fmt.Sprintf(format, args...))
}
func (l *logger) Warnf(format string, args ...any) {
	l.say("warning: " + fmt.Sprintf(format, args...))
}
func (l *logger) say(line string) {
	l.guard.Lock()
	defer l.guard.Unlock()
	l.lines = append(l.lines, line)
}

// systemDisk is a disk of that size as an image leaves it, with more partitions.
func systemDisk(t testing.TB, size int64, more ...gpt.Partition) *fake.Disk {
	t.Helper()
	values, err := meta.Encode(meta.Values{meta.UUIDOverride: []byte("u")})
	if err != nil {
		t.Fatal(err)
	}
	parts := append([]gpt.Partition{
		{Name: layout.EFI, Type: gpt.EFISystem(), Size: 2 * mib, Content: blob.String("boot code of a kind")},
		{Name: layout.Meta, Type: gpt.LinuxFilesystem(), Size: mib, Content: blob.Bytes(values)},
	}, more...)
	im, err := gpt.Format(parts, gpt.Options{Size: size, BootCode: []byte("code"), ActiveRecord: true})
	if err != nil {
		t.Fatal(err)
	}
	d := &fake.Disk{Name: "vda", Bytes: size}
	for _, e := range im.Extents() {
		p := make([]byte, e.Blob.Size())
		if err := blob.ReadFull(e.Blob, p, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := d.WriteAt(p, e.Offset); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

const plain = "version: v1alpha1\nmachine: {type: worker}\ncluster: {controlPlane: {endpoint: 'https://10.0.0.1:6443'}}\n"

// node is a machine whose volumes are being made.
type node struct {
	mu sync.Mutex // of report and mounts
	*Runner
	*logger
	m      *xfsMachine
	config watch.Value[*config.Config]
	report []bootreport.Volume
	mounts []bootreport.Mount
	disks  *disks.Watcher
	early  string // what /var has of what was in memory
}

func newNode(t *testing.T, m *xfsMachine, text string, w volumes.Wipe) *node {
	n := &node{m: m, logger: &logger{}}
	if text != "" {
		c, err := config.Load("config.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		n.config.Set(c)
	}
	found := disks.New(m, n.logger)
	n.disks = found
	n.Runner = New(Deps{
		M: m, Config: &n.config, Wipe: w, Log: n.logger,
		Disks:   found,
		Changed: func() <-chan struct{} { _, c := found.Volumes.Watch(); return c },
		Report: func(_ []bootreport.VolumeConfig, v []bootreport.Volume, mt []bootreport.Mount) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.report, n.mounts = v, mt
		},
	})
	return n
}

// boot runs a machine for a second.
func boot(t *testing.T, d *fake.Disk, text string, w volumes.Wipe) (n *node) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n = newNode(t, newMachine(t, d), text, w)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		time.Sleep(time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		n.m.powerCut()
		p, _ := n.m.ReadFile("/var/lib/early")
		link, _ := n.m.ReadLink("/var/run")
		n.early = string(p) + " " + link
	})
	return n
}

func (n *node) phases() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, v := range n.report {
		all = append(all, strings.TrimSpace(v.ID+" "+v.Phase+" "+v.Location+" "+v.Reason))
	}
	return strings.Join(all, "\n")
}

// reborn is the disk in another machine, of that size. What volumes hold behind what is looked at is not copied.
func reborn(t *testing.T, d *fake.Disk, size int64) *fake.Disk {
	t.Helper()
	next := &fake.Disk{Name: d.Name, Bytes: size}
	places := [][2]int64{{0, mib}, {d.Bytes - mib, d.Bytes}}
	table, err := gpt.Read(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range table.Partitions {
		places = append(places, [2]int64{p.Start, min(p.Start+20*mib, p.End())}, [2]int64{p.End() - mib, p.End()})
	}
	chunk, zeros := make([]byte, 4096), make([]byte, 4096)
	for _, place := range places {
		for at := place[0]; at < place[1]; at += 4096 {
			if err := blob.ReadFull(d, chunk, at); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(chunk, zeros) {
				next.WriteAt(chunk, at)
			}
		}
	}
	return next
}

func TestFirstBootAndNext(t *testing.T) {
	const size = 6 * gib
	d := systemDisk(t, size)
	n := boot(t, d, plain, volumes.Wipe{})
	const ready = "META ready /dev/vda2\nSTATE ready /dev/vda3\nEPHEMERAL ready /dev/vda4"
	if got := n.phases(); got != ready {
		t.Fatalf("%s\n%s", got, strings.Join(n.lines, "\n"))
	}
	if got := fmt.Sprint(n.mounts); got != "[{STATE /dev/vda3 /system/state xfs} {EPHEMERAL /dev/vda4 /var xfs}]" {
		t.Error(got)
	}
	if n.early != "early /run" {
		t.Errorf("/var: %q", n.early)
	}
	s, _ := n.Status().Get()
	if string(s.Meta[meta.UUIDOverride]) != "u" || !s.Settled(layout.State) || !s.Settled(layout.Ephemeral) || s.Mounts[layout.State] != "/system/state" {
		t.Errorf("%+v", s)
	}
	made := len(n.m.Started())
	next := boot(t, reborn(t, d, size), plain, volumes.Wipe{})
	if got := next.phases(); got != ready {
		t.Errorf("the second boot: %s", got)
	}
	for _, c := range next.m.Started() {
		if c.Path == mkfs {
			t.Errorf("the second boot runs %s %v; the first ran %d programs", c.Path, c.Args, made)
		}
	}
	mbr := make([]byte, 446)
	if _, err := d.ReadAt(mbr, 0); err != nil || !bytes.HasPrefix(mbr, []byte("code")) {
		t.Error("the boot code is gone")
	}
}

// TestEarlyFiles: what was in memory at /var replaces what the volume has, is there after a power cut, and is not written where it is already.
func TestEarlyFiles(t *testing.T) {
	disk := systemDisk(t, 6*gib)
	boot(t, disk, plain, volumes.Wipe{})
	for name, c := range map[string]struct {
		there    map[string]string // in the volume
		replaced string
	}{
		"nothing":            {nil, "[lib/early]"},
		"another":            {map[string]string{"lib/early": "other", "run": "kept"}, "[lib/early]"},
		"the same":           {map[string]string{"lib/early": "early"}, "[]"},
		"a link":             {map[string]string{"lib/early": "-> /nowhere"}, "[lib/early]"},
		"a link to a folder": {map[string]string{"lib": "-> /elsewhere"}, "[]"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMachine(t, reborn(t, disk, 6*gib))
			m.Contents["xfs"] = c.there
			n := newNode(t, m, plain, volumes.Wipe{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			n.Run(ctx)
			m.powerCut()
			p, err := m.ReadFile("/var/lib/early")
			if got := fmt.Sprint(m.replaced); got != c.replaced || string(p) != "early" && c.there["lib"] == "" {
				t.Errorf("%s: %q, %v; written %s", name, p, err, got)
			}
			if kept, _ := m.ReadFile("/var/run"); c.there["run"] != "" && string(kept) != c.there["run"] {
				t.Errorf("%s: /var/run is %q", name, kept)
			}
			if len(n.mounts) != 2 {
				t.Errorf("%s: %v, %s", name, n.mounts, n.phases())
			}
		})
	}
}

// TestWithoutConfig: nothing is made, and what is there is mounted as far as it needs no configuration.
func TestWithoutConfig(t *testing.T) {
	d := systemDisk(t, 6*gib)
	if got, want := boot(t, d, "", volumes.Wipe{}).phases(), "META ready /dev/vda2\nSTATE missing  there is no machine configuration to keep in it\nEPHEMERAL missing  there is no machine configuration yet"; got != want {
		t.Error(got, want)
	}
	boot(t, d, plain, volumes.Wipe{})
	n := boot(t, reborn(t, d, 6*gib), "", volumes.Wipe{})
	if got := fmt.Sprint(n.mounts); got != "[{STATE /dev/vda3 /system/state xfs}]" {
		t.Error(got, n.phases())
	}
}

func TestGrow(t *testing.T) {
	d := systemDisk(t, 6*gib)
	boot(t, d, plain, volumes.Wipe{})
	larger := reborn(t, d, 9*gib)
	n := boot(t, larger, plain, volumes.Wipe{})
	table, err := gpt.Read(larger)
	if err != nil || table.DiskSize != 9*gib || table.BackupDamaged || table.RecoveredFromBackup {
		t.Fatalf("%+v, %v", table, err)
	}
	if got := table.Partitions[3]; got.Size < 8*gib || n.report[2].Size != uint64(got.Size) {
		t.Errorf("EPHEMERAL has %d bytes, its file system %d\n%s", got.Size, n.report[2].Size, strings.Join(n.lines, "\n"))
	}
}

func TestWipe(t *testing.T) {
	d := systemDisk(t, 6*gib)
	boot(t, d, plain, volumes.Wipe{})
	before, _ := gpt.Read(d)
	n := boot(t, reborn(t, d, 6*gib), plain, volumes.Wipe{Labels: []string{layout.Ephemeral}})
	s, _ := n.Status().Get()
	var made []string
	for _, c := range n.m.Started() {
		made = append(made, c.Path+" "+c.Args[len(c.Args)-1])
	}
	if s.Volume(layout.Ephemeral).Phase != volumes.Ready || !slices.Contains(made, mkfs+" /dev/vda4") || slices.Contains(made, mkfs+" /dev/vda3") {
		t.Errorf("%s\n%q, before %+v", n.phases(), made, before.Partitions)
	}
	n = boot(t, reborn(t, d, 6*gib), plain, volumes.Wipe{System: true})
	if got := n.phases(); !strings.HasPrefix(got, "META missing") || strings.Contains(got, "ready") {
		t.Error(got)
	}
}

// TestFaults: what cannot be done is said, and tried again.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(m *xfsMachine, d *fake.Disk, broken *atomic.Bool)
		want    string
	}{
		"mkfs fails": {func(m *xfsMachine, _ *fake.Disk, broken *atomic.Bool) {
			m.Programs[mkfs] = func(ctx context.Context, c kernel.Command) error {
				if broken.Load() {
					return errors.New("no memory")
				}
				return m.mkfs(ctx, c.Args[len(c.Args)-1])
			}
		}, "STATE failed /dev/vda3 mkfs.xfs: exit status 1: no memory"},
		"table cannot be written": {func(_ *xfsMachine, d *fake.Disk, broken *atomic.Bool) {
			d.Fail = func(op fake.Op, _, _ int64) error {
				if op == fake.OpWrite && broken.Load() {
					return fs.ErrPermission
				}
				return nil
			}
		}, "STATE failed  write the partition table (gpt-backup): permission denied"},
		"locked": {func(_ *xfsMachine, d *fake.Disk, _ *atomic.Bool) { d.Lock() }, "STATE failed  open /dev/vda: another program has locked the disk"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := systemDisk(t, 6*gib)
				m := newMachine(t, d)
				var broken atomic.Bool
				broken.Store(true)
				c.prepare(m, d, &broken)
				n := newNode(t, m, plain, volumes.Wipe{})
				ctx, cancel := context.WithCancel(t.Context())
				go n.Run(ctx)
				time.Sleep(25 * time.Second) // in one of the attempts
				synctest.Wait()
				if got := n.phases(); !strings.Contains(got, c.want) {
					t.Errorf("%s\nwant %s", got, c.want)
				}
				broken.Store(false)
				if name != "locked" {
					time.Sleep(31 * time.Second)
					synctest.Wait()
					if got := n.phases(); !strings.Contains(got, "EPHEMERAL ready") {
						t.Errorf("half a minute later: %s\n%s", got, strings.Join(n.lines, "\n"))
					}
				}
				cancel()
				time.Sleep(time.Minute)
			})
		})
	}
}

// TestStopped: a file system that stops after it was mounted is reported.
func TestStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t, systemDisk(t, 6*gib))
		n := newNode(t, m, plain, volumes.Wipe{})
		ctx, cancel := context.WithCancel(t.Context())
		go n.Run(ctx)
		time.Sleep(time.Minute)
		m.stopped.Store(true)
		time.Sleep(2 * longestAgain)
		synctest.Wait()
		if got, want := n.phases(), "EPHEMERAL failed /dev/vda4 the file system of /dev/vda4 has stopped: input/output error"; !strings.Contains(got, want) {
			t.Errorf("%s\nwant %s", got, want)
		}
		if log := strings.Join(n.lines, "\n"); strings.Count(log, "has stopped") != 1 {
			t.Error(log)
		}
		cancel()
		time.Sleep(time.Minute)
	})
}

// TestUnplugged: a disk that goes away while it is formatted is said to be gone, and the machine goes on when it is back.
func TestUnplugged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := systemDisk(t, 6*gib)
		m := newMachine(t, d)
		gone := false
		m.Programs[mkfs] = func(ctx context.Context, c kernel.Command) error {
			if !gone {
				gone = true
				m.RemoveDisk(d.Name)
			}
			return m.mkfs(ctx, c.Args[len(c.Args)-1])
		}
		n := newNode(t, m, plain, volumes.Wipe{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		go n.disks.Run(ctx)
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if got := n.phases(); !strings.Contains(got, "STATE waiting  the system disk is not known: no disk has a META partition") {
			t.Error(got)
		}
		m.AddDisk(reborn(t, d, d.Bytes))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if got := n.phases(); !strings.Contains(got, "STATE ready") || !strings.Contains(got, "EPHEMERAL ready") {
			t.Errorf("%s\n%s", got, strings.Join(n.lines, "\n"))
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestUnpluggedMounted: a user volume is unmounted when its disk is unplugged, and mounted again when the disk is back.
func TestUnpluggedMounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := newMachine(t, systemDisk(t, 6*gib)), &fake.Disk{Name: "vdb", Bytes: gib}
		m.AddDisk(d)
		n := newNode(t, m, strings.Replace(plain, "worker", "worker, disks: [{device: /dev/vdb, partitions: [{mountpoint: /var/mnt/data}]}]", 1), volumes.Wipe{})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- n.Run(ctx) }()
		go n.disks.Run(ctx)
		for i, c := range []struct {
			change func()
			want   string
		}{
			{func() {}, "/dev/vdb-1 ready /dev/vdb1"},
			{func() { m.RemoveDisk("vdb") }, "/dev/vdb-1 failed  there is no disk /dev/vdb"},
			{func() { m.AddDisk(reborn(t, d, d.Bytes)) }, "/dev/vdb-1 ready /dev/vdb1"},
		} {
			c.change()
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := n.phases(); !strings.Contains(got, c.want) || !strings.Contains(got, "EPHEMERAL ready") {
				t.Errorf("%d: %s\nwant %s\n%s", i, got, c.want, strings.Join(n.lines, "\n"))
			}
			status, _ := n.status.Get()
			if mounted := status.Mounts["/dev/vdb-1"] == "/var/mnt/data"; mounted != (i != 1) {
				t.Errorf("%d: mounted is %v", i, mounted)
			}
		}
		if log := strings.Join(n.lines, "\n"); strings.Count(log, "mounted /dev/vdb1 on /var/mnt/data") != 2 || strings.Count(log, "/dev/vdb1 is gone") != 1 {
			t.Error(log)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestForeign: what somebody else put where a volume is to be stays.
func TestForeign(t *testing.T) {
	d := systemDisk(t, 6*gib, gpt.Partition{Name: layout.State, Type: gpt.LinuxFilesystem(), Size: 100 * mib, Content: blob.String("a secret format")})
	n := boot(t, d, plain, volumes.Wipe{})
	if got := n.phases(); !strings.Contains(got, "STATE failed /dev/vda3 /dev/vda3 holds something that is not known here, and it is left alone; to lose what is in it, boot once with the kernel argument talos.experimental.wipe=system:STATE") {
		t.Error(got)
	}
	table, _ := gpt.Read(d)
	p := make([]byte, 15)
	if table.Partitions[2].Content.ReadAt(p, 0); string(p) != "a secret format" {
		t.Errorf("%q", p)
	}
}

// TestShrunkDisk: the kernel does not read the table of a disk that was larger. What the machine has is found nevertheless.
func TestShrunkDisk(t *testing.T) {
	large, d := systemDisk(t, 8*gib), &fake.Disk{Name: "vda", Bytes: 6 * gib}
	p := make([]byte, 5*mib)
	if err := blob.ReadFull(large, p, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := d.WriteAt(p, 0); err != nil {
		t.Fatal(err)
	}
	n := boot(t, d, plain, volumes.Wipe{})
	if got := n.phases(); !strings.Contains(got, "META ready /dev/vda2") || !strings.Contains(got, "STATE failed  no disks matched for volume: /dev/vda: its partition table is that of a larger disk, of 8.6 GB") {
		t.Errorf("%s\n%s", got, strings.Join(n.lines, "\n"))
	}
}

// TestDamagedTables: a primary that is damaged is written anew from the backup, and the other way round.
func TestDamagedTables(t *testing.T) {
	const size = 6 * gib
	for name, at := range map[string]int64{"primary header": 512, "primary entries": 1100, "backup header": size - 512, "backup entries": size - 33*512} {
		d := systemDisk(t, size)
		boot(t, d, plain, volumes.Wipe{})
		d = reborn(t, d, size)
		if _, err := d.WriteAt([]byte("damage"), at); err != nil {
			t.Fatal(err)
		}
		n := boot(t, d, plain, volumes.Wipe{})
		table, err := gpt.Read(d)
		if err != nil || table.RecoveredFromBackup || table.BackupDamaged || !strings.Contains(n.phases(), "EPHEMERAL ready") {
			t.Errorf("%s: %+v, %v\n%s\n%s", name, table, err, n.phases(), strings.Join(n.lines, "\n"))
		}
		for _, c := range n.m.Started() {
			if c.Path == mkfs {
				t.Errorf("%s: it was formatted anew", name)
			}
		}
	}
}
