package installation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/fat"
	"github.com/bootwright/bootwright/formats/gpt"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/formats/pe/petest"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/disks"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake/disktest"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootassets"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

const version, epoch = "v1", 1700000000

// isoOf is the medium of a version.
func isoOf(t *testing.T, version string) blob.Blob {
	t.Helper()
	fill := func(n int) blob.Blob { return blob.Bytes(bytes.Repeat([]byte("content "), n)) }
	a, err := bootassets.New(t.Context(), bootassets.Description{Version: version, Arch: "amd64", Platform: "metal", KernelVersion: "6.1.0", Cmdline: "talos.platform=metal quiet", Epoch: epoch},
		map[string]blob.Blob{
			bootassets.Kernel: fill(9000), bootassets.Head: fill(10), bootassets.Root: fill(20000), bootassets.Tail: fill(4), bootassets.SDBoot: blob.Bytes(petest.Stub()),
			bootassets.Stub: blob.Bytes(petest.Stub()), bootassets.GRUBBoot: blob.Bytes(make([]byte, 512)), bootassets.GRUBCore: fill(5000),
		}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var files tree.Tree
	a.AddTo(&files)
	im, err := iso9660.Format(&files, iso9660.Options{VolumeID: "ANY"})
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// node is a machine that was started from a medium, with an empty disk, and what became of it.
type node struct {
	Deps
	m      *fake.Machine
	disk   *disktest.Disk
	out    bytes.Buffer
	said   []bootreport.Install
	added  []services.Service
	ended  kernel.Action
	warned string
}

func (n *node) Infof(string, ...any)             {}
func (n *node) Warnf(format string, args ...any) { n.warned += fmt.Sprintf(format, args...) }

const size = 4 << 30

// newNode has machine.install and more in the part machine of its configuration. medium may be nil.
func newNode(t *testing.T, medium blob.Blob, machine string) *node {
	t.Helper()
	n := &node{m: fake.New(t, nil), disk: &disktest.Disk{Name: "vda", Bytes: size}}
	n.m.AddDisk(n.disk)
	if medium != nil {
		cd := &disktest.Disk{Name: "sr0", Bytes: medium.Size(), SectorSize: 2048, ReadOnly: true}
		if err := cd.Fill(medium); err != nil {
			t.Fatal(err)
		}
		n.m.AddDisk(cd)
	}
	watcher := disks.New(n.m, n)
	n.Deps = Deps{
		M: n.m, Config: &watch.Value[*config.Config]{}, Arch: "amd64", Version: version, Epoch: epoch, Log: n,
		Args:    cmdline.Parse("talos.platform=nocloud talos.config=http://h/${uuid} talos.halt_if_installed=1 talos.environment=INSTALLER_META_BASE64=MHhhPXg7MHhmPXk= debug"),
		Env:     func(*config.Config) []string { return []string{"A=b"} },
		Add:     func(s services.Service) error { n.added = append(n.added, s); return nil },
		Report:  func(i bootreport.Install) { n.said = append(n.said, i) },
		End:     func(a kernel.Action) { n.ended = a },
		Network: services.Condition{Name: "network"}, Time: services.Condition{Name: "time"},
		Discover: func(ctx context.Context) ([]blockdev.Disk, []blockdev.Volume, error) {
			err := watcher.Refresh(ctx)
			d, _ := watcher.Disks.Get()
			v, _ := watcher.Volumes.Get()
			return d, v, err
		},
	}
	c, err := config.Load("test", []byte("version: v1alpha1\nmachine:\n"+machine))
	if err != nil {
		t.Fatal(err)
	}
	n.Config.Set(c)
	return n
}

const toVDA = "  install: {disk: /dev/vda, extraKernelArgs: [-quiet, marker=1]}\n"

// last is the last report.
func (n *node) last() bootreport.Install {
	if n.said == nil {
		return bootreport.Install{}
	}
	return n.said[len(n.said)-1]
}

// check looks at the disk of a machine that has installed itself.
func (n *node) check(t *testing.T) {
	t.Helper()
	table, err := gpt.Read(n.disk)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range table.Partitions {
		names = append(names, p.Name)
		content := blob.Slice(n.disk, p.Start, p.Size)
		switch p.Name {
		case layout.Meta:
			v, damaged, err := meta.Read(content)
			if want := (meta.Values{10: []byte("x"), 15: []byte("y")}); err != nil || damaged != nil || !maps.EqualFunc(v, want, bytes.Equal) {
				t.Errorf("META: %q, %v, %v", v, damaged, err)
			}
		case layout.Boot:
			v, err := fat.Read(content)
			if err != nil {
				t.Fatal(err)
			}
			menu, err := blob.ReadAll(v.Tree.Get(bootentry.GRUBConfig).Open(), 1<<20)
			if err != nil || !strings.Contains(string(menu), `'talos.platform=nocloud' 'talos.config=http://h/${uuid}' 'marker=1'`) || strings.Contains(string(menu), "halt") || !strings.Contains(string(menu), "config.img") {
				t.Errorf("%s, %v", menu, err)
			}
		}
	}
	if got := strings.Join(names, " "); got != "EFI BIOS BOOT META" {
		t.Errorf("partitions %s", got)
	}
	if last := n.last(); n.ended != kernel.Restart || last.State != bootreport.InstallDone || last.Disk != "/dev/vda" || last.From != "/dev/sr0" {
		t.Errorf("ended in %q, %+v", n.ended, last)
	}
}

func TestFromMedium(t *testing.T) {
	n := newNode(t, isoOf(t, version), toVDA)
	if err := n.run(t.Context(), &n.out); err != nil {
		t.Fatal(err)
	}
	n.check(t)
	if said := n.out.String(); !strings.Contains(said, "/dev/vda holds nothing") || !strings.HasSuffix(said, "the system is installed on /dev/vda; the machine restarts\n") {
		t.Errorf("said %s", said)
	}
}

// TestOverAnother: what was on the disk is gone, all of it with wipe.
func TestOverAnother(t *testing.T) {
	for _, wipe := range []bool{false, true} {
		n := newNode(t, isoOf(t, version), fmt.Sprintf("  install: {disk: /dev/vda, wipe: %v, extraKernelArgs: [-quiet, marker=1]}\n", wipe))
		old, err := gpt.Format([]gpt.Partition{{Name: "data", Type: gpt.LinuxFilesystem(), Start: 3 << 30, Size: 1 << 20, Content: blob.String("old")}}, gpt.Options{Size: size})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range old.Extents() {
			p := make([]byte, e.Blob.Size())
			if err := blob.ReadFull(e.Blob, p, 0); err != nil {
				t.Fatal(err)
			}
			n.disk.WriteAt(p, e.Offset)
		}
		if err := n.run(t.Context(), &n.out); err != nil {
			t.Fatal(err)
		}
		n.check(t)
		left := make([]byte, 3)
		n.disk.ReadAt(left, 3<<30)
		if (string(left) == "old") == wipe || n.last().Replaced != "partitions data" {
			t.Errorf("wipe %v: %q is left of %s", wipe, left, n.last().Replaced)
		}
	}
}

// TestCutShort: a disk that fails at any write, as if the power was cut, holds no system, and the next attempt installs.
func TestCutShort(t *testing.T) {
	iso := isoOf(t, version)
	whole := newNode(t, iso, toVDA)
	writes := 0
	whole.disk.Fail = func(op disktest.Op, _, _ int64) error {
		if op == disktest.OpWrite {
			writes++
		}
		return nil
	}
	if err := whole.run(t.Context(), io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{0, 1, writes / 2, writes - 1} {
		n := newNode(t, iso, toVDA)
		left := after
		n.disk.Fail = func(op disktest.Op, _, _ int64) error {
			if op != disktest.OpWrite {
				return nil
			}
			if left--; left < 0 {
				return syscall.EIO
			}
			return nil
		}
		err := n.run(t.Context(), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "/dev/vda: ") || n.last().State != bootreport.InstallFailed || n.ended != "" {
			t.Fatalf("after %d of %d writes: %v, %+v", after, writes, err, n.last())
		}
		n.disk.Fail = nil
		if _, found, err := n.Discover(t.Context()); err != nil || systemDisk(found) != "" {
			t.Errorf("after %d of %d writes there is a system on %s, %v", after, writes, systemDisk(found), err)
		}
		if err := n.run(t.Context(), io.Discard); err != nil {
			t.Fatalf("after %d of %d writes: %v", after, writes, err)
		}
		n.check(t)
	}
}

func TestRefused(t *testing.T) {
	iso := isoOf(t, version)
	for name, c := range map[string]struct {
		medium  blob.Blob
		machine string
		change  func(n *node)
		want    string
	}{
		"no medium":      {nil, toVDA, nil, "there is nothing to install from: no disk holds the medium of this system, v1; name an installer image"},
		"another medium": {isoOf(t, "v2"), toVDA, nil, "there is nothing to install from"},
		"other machine":  {iso, toVDA, func(n *node) { n.Arch = "arm64" }, "there is nothing to install from"},
		"damaged": {iso, toVDA, func(n *node) {
			cd := &disktest.Disk{Name: "sr0", Bytes: iso.Size(), ReadOnly: true}
			cd.Fill(iso)
			cd.WriteAt([]byte("?"), iso.Size()/2)
			n.m.RemoveDisk("sr0")
			n.m.AddDisk(cd)
		}, "is damaged: its digest is"},
		"unreadable": {iso, toVDA, func(n *node) {
			cd := &disktest.Disk{Name: "sr0", Bytes: iso.Size(), ReadOnly: true}
			cd.Fill(iso)
			cd.Fail = func(_ disktest.Op, off, _ int64) error {
				if off > pvd+4096 {
					return syscall.EIO
				}
				return nil
			}
			n.m.RemoveDisk("sr0")
			n.m.AddDisk(cd)
		}, "/dev/sr0: "},
		"small": {iso, toVDA, func(n *node) {
			n.m.RemoveDisk("vda")
			n.m.AddDisk(&disktest.Disk{Name: "vda", Bytes: 1 << 30})
		}, "/dev/vda: a disk of 1073741824 bytes is too small: with what the machine makes on it, it takes"},
		"locked":   {iso, toVDA, func(n *node) { n.disk.Lock() }, kernel.ErrBusy.Error()},
		"medium":   {iso, "  install: {disk: /dev/sr0}\n", nil, "is what the machine was started from"},
		"values":   {iso, toVDA, func(n *node) { n.Args = cmdline.Parse("talos.environment=INSTALLER_META_BASE64=!") }, "INSTALLER_META_BASE64"},
		"argument": {iso, "  install: {disk: /dev/vda, extraKernelArgs: [\"a b\"]}\n", nil, "has a space in its name"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(t, c.medium, c.machine)
			if c.change != nil {
				c.change(n)
			}
			if err := n.run(t.Context(), &n.out); err == nil || !strings.Contains(err.Error(), c.want) || n.ended != "" {
				t.Errorf("%s: %v", name, err)
			}
			if last := n.last(); last.State != bootreport.InstallFailed || !strings.Contains(last.Error, c.want) {
				t.Errorf("%s: reported %+v", name, last)
			}
			if table, err := gpt.Read(n.disk); err == nil {
				t.Errorf("%s: the disk has partitions %v", name, table.Partitions)
			}
		})
	}
}

// TestFromImage: the program of the image gets all that the machine adds; how it failed is reported.
func TestFromImage(t *testing.T) {
	refused := &kernel.ExitError{Code: 2}
	for _, fault := range []error{nil, errors.New("error: the disk is gone"), refused} {
		n := newNode(t, nil, "  install: {disk: /dev/vda, image: ghcr.io/a/b:v1, wipe: true, extraKernelArgs: [-quiet, marker=1]}\n")
		var ran []string
		n.m.Programs[containerd.Client] = func(_ context.Context, c kernel.Command) error {
			switch c.Args[4] + " " + c.Args[5] {
			case "images list":
				fmt.Fprintln(c.Stdout, "x y linux/amd64")
			case "run --rm":
				ran = c.Args
				if text, err := n.m.ReadFile("/run/bootwright/install/config.yaml"); err != nil || !strings.Contains(string(text), "marker=1") {
					t.Errorf("the configuration: %q, %v", text, err)
				}
				return fault
			}
			return nil
		}
		err := n.run(t.Context(), &n.out)
		i := slices.Index(ran, "/bin/installer")
		want := "/bin/installer install --disk /dev/vda --config /run/bootwright/install/config.yaml --force --platform nocloud --extra-kernel-arg=-talos.config" +
			" --extra-kernel-arg=talos.config=http://h/${uuid} --extra-kernel-arg=-quiet --extra-kernel-arg=marker=1 --meta=0xa=x --meta=0xf=y --zero"
		if got := strings.Join(ran[max(0, i):], " "); got != want {
			t.Errorf("ran %s", got)
		}
		if _, err := n.m.ReadFile("/run/bootwright/install/config.yaml"); err == nil {
			t.Error("the configuration is left in memory")
		}
		last := n.last()
		if fault == nil && (err != nil || n.ended != kernel.Restart || last.From != "ghcr.io/a/b:v1") {
			t.Errorf("%v, %q, %+v", err, n.ended, last)
		}
		if errors.Is(fault, refused) && (err == nil || n.ended != "" || last.State != bootreport.InstallRefused || last.Error != "installer: exit status 2") {
			t.Errorf("%v, %q, %+v", err, n.ended, last)
		}
		if fault != nil && !errors.Is(fault, refused) && (err == nil || n.ended != "" || last.State != bootreport.InstallFailed || last.Error != "installer: exit status 1: the disk is gone") {
			t.Errorf("%v, %q, %+v", err, n.ended, last)
		}
	}
}

// TestDecision: what there is decides whether the machine installs, halts or goes on.
func TestDecision(t *testing.T) {
	const image = "  install: {disk: /dev/vda, image: a}\n"
	for name, c := range map[string]struct {
		machine   string
		installed bool
		args      string
		added     string // what the service needs
		halts     bool
	}{
		"own":                {toVDA, false, "talos.halt_if_installed=1", "[] 0", false},
		"image":              {image, false, "", "[containerd] 2", false},
		"installed":          {toVDA, true, "", "", false},
		"installed, to halt": {toVDA, true, "talos.halt_if_installed=1", "", true},
		"not to halt":        {toVDA, true, "talos.halt_if_installed=0", "", false},
		"nothing asked":      {"  type: worker\n", false, "", "", false},
	} {
		n := newNode(t, nil, c.machine)
		n.Args = cmdline.Parse(c.args)
		if c.installed {
			im, err := gpt.Format([]gpt.Partition{{Name: layout.Meta, Type: gpt.LinuxFilesystem(), Size: layout.MetaSize, Content: blob.Zeros(layout.MetaSize)}}, gpt.Options{Size: 64 << 20})
			if err != nil {
				t.Fatal(err)
			}
			d := &disktest.Disk{Name: "vdb", Bytes: im.Size()}
			if err := d.Fill(im); err != nil {
				t.Fatal(err)
			}
			n.m.AddDisk(d)
		}
		halts, err := n.Halts(t.Context())
		if err != nil || halts != c.halts || halts != strings.Contains(n.warned, "is installed on /dev/vdb already") || halts != (n.last().State == bootreport.InstallPresent) {
			t.Errorf("%s: halts %v, %v, %q, %+v", name, halts, err, n.warned, n.said)
		}
		ctx, cancel := context.WithCancel(t.Context())
		if n.Config != nil && c.added == "" {
			cancel() // it would wait for another configuration
		}
		if err := n.Follow(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		got := ""
		for _, s := range n.added {
			got += fmt.Sprintf("%v %d", s.Needs, len(s.Waits))
		}
		if got != c.added {
			t.Errorf("%s: added %q, want %q", name, got, c.added)
		}
	}
}
