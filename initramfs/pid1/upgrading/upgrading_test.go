package upgrading

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf16"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/cpio"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel"
	"github.com/bootwright/bootwright/initramfs/pid1/kernel/fake"
	"github.com/bootwright/bootwright/initramfs/pid1/services"
	"github.com/bootwright/bootwright/initramfs/pid1/services/containerd"
	"github.com/bootwright/bootwright/initramfs/pid1/watch"
	"github.com/bootwright/bootwright/internal/report"
	"github.com/bootwright/bootwright/machine/blockdev"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/cmdline"
	"github.com/bootwright/bootwright/machine/config"
	"github.com/bootwright/bootwright/machine/configarea"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/install"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

const (
	older = "0123456789ab"
	newer = "ba9876543210"
	uuid  = "1b3fc0de-0000-4000-8000-000000000001"
)

// node is a machine whose boot partitions are folders, mounted by device.
type node struct {
	*fake.Machine
	t        *testing.T
	devices  map[string]install.Dir
	mounted  map[string]kernel.Mount // by target
	meta     meta.Values
	refuse   error // of mounts
	kept     watch.Value[bool]
	report   bootreport.Report
	restarts atomic.Int32
}

func (n *node) Mount(m kernel.Mount) error {
	if n.refuse != nil {
		return n.refuse
	}
	n.mounted[m.Target] = m
	return nil
}

func (n *node) Unmount(target string) error {
	if _, ok := n.mounted[target]; !ok {
		return errors.New("not mounted")
	}
	delete(n.mounted, target)
	return nil
}

// Folder gives a mounted file system, which cannot be written where it was not mounted so.
func (n *node) Folder(dir string) install.Folder {
	m := n.mounted[dir]
	if m.Flags&kernel.ReadOnly != 0 {
		return readOnly{n.devices[m.Source], n.t}
	}
	return n.devices[m.Source]
}

type readOnly struct {
	install.Dir
	t *testing.T
}

func (r readOnly) Write(context.Context, string, blob.Blob) error { r.t.Error("a write"); return nil }
func (r readOnly) Rename(string, string) error                    { r.t.Error("a rename"); return nil }

func (n *node) Infof(string, ...any) {}
func (n *node) Warnf(string, ...any) {}

// variable sets one of systemd-boot's.
func (n *node) variable(name, value string) {
	p := []byte{6, 0, 0, 0}
	for _, u := range utf16.Encode([]rune(value + "\x00")) {
		p = binary.LittleEndian.AppendUint16(p, u)
	}
	dir := "/sys/firmware/efi/efivars/"
	if err := errors.Join(n.MkdirAll(dir, 0o755), n.WriteFile(dir+name+"-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f", p, 0o644)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) put(device, name, text string) {
	if err := n.devices[device].Write(n.t.Context(), name, blob.String(text)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) entry() bootreport.Entry {
	if n.report.Entry == nil {
		return bootreport.Entry{}
	}
	return *n.report.Entry
}

func partition(label, dev string, size uint64) blockdev.Volume {
	return blockdev.Volume{Type: blockdev.TypePartition, DevPath: dev, Parent: "vda", ParentDevPath: "/dev/vda", PartitionLabel: label, Size: size, PartitionUUID: strings.ToLower(uuid)}
}

// start is a machine that was started with the command line on a disk with two systems, of which newer is on trial with one try used, and the System
// of it, which runs. Ready is called when the machine is ready.
func start(t *testing.T, commandLine string, prepare func(*node)) (n *node, s *System, ready func()) {
	n = &node{
		Machine: fake.New(t, nil), t: t, mounted: map[string]kernel.Mount{}, meta: meta.Values{meta.Upgrade: []byte(bootentry.Name(older))},
		devices: map[string]install.Dir{"/dev/vda1": install.Dir(t.TempDir()), "/dev/vda3": install.Dir(t.TempDir())},
	}
	n.put("/dev/vda1", "EFI/Linux/bootwright-"+newer+"+2-1.efi", "new")
	n.put("/dev/vda1", bootentry.UKI(older), "old")
	n.put("/dev/vda1", bootentry.LoaderConf, bootentry.Loader(newer))
	n.put("/dev/vda3", bootentry.GRUBConfig, grub.NewMenu(bootentry.Menu(older, "v1", "quiet", false)).Add(bootentry.Menu(newer, "v2", "quiet", false), newer).String())
	n.put("/dev/vda3", bootentry.GRUBEnv, grub.Environment{Trial: newer, Tries: 2}.String())
	var volumes watch.Value[[]blockdev.Volume]
	volumes.Set([]blockdev.Volume{
		partition(layout.EFI, "/dev/vda1", 1<<30), partition(layout.BIOS, "/dev/vda2", 1<<20), partition(layout.Boot, "/dev/vda3", 1<<30), partition(layout.Meta, "/dev/vda4", layout.MetaSize),
	})
	if prepare != nil {
		prepare(n)
	}
	done, args := make(chan struct{}), cmdline.Parse(commandLine)
	s = New(Deps{
		M: n, Args: args, Log: n, Volumes: &volumes, Ready: done, Restart: func() { n.restarts.Add(1) },
		Kept: func(ctx context.Context) error {
			_, err := n.kept.Wait(ctx, func(k bool) bool { return k })
			return err
		},
		Report: func(f func(*bootreport.Report)) { f(&n.report) },
		Meta: func(_ context.Context, change func(meta.Values) bool) error {
			if n.meta == nil {
				return report.Errorf(report.NotFound, "META is missing")
			}
			v := maps.Clone(n.meta)
			if change(v) {
				n.meta = v
			}
			return nil
		},
	})
	return n, s, func() { close(done) }
}

const bios = "quiet BOOT_IMAGE=/boot/" + newer + "/vmlinuz"

func uefi(n *node) {
	n.variable("LoaderEntrySelected", "bootwright-"+newer+"+3.efi")
	n.variable("LoaderBootCountPath", `\EFI\Linux\bootwright-`+newer+"+2-1.efi")
	n.variable("LoaderDevicePartUUID", strings.ToUpper(uuid))
}

// TestTrial: a new system is on trial until it is ready, and good in every partition from then on.
func TestTrial(t *testing.T) {
	for name, c := range map[string]struct {
		line    string
		prepare func(*node)
	}{"UEFI": {"quiet", uefi}, "BIOS": {bios, nil}} {
		synctest.Test(t, func(t *testing.T) {
			n, s, ready := start(t, c.line, c.prepare)
			ended := make(chan error)
			go func() { ended <- s.Run(t.Context()) }()
			time.Sleep(time.Minute)
			synctest.Wait()
			if want := (bootreport.Entry{Name: bootentry.Name(newer), State: bootreport.EntryTrial, Tries: 2, Other: bootentry.Name(older)}); n.entry() != want {
				t.Errorf("%s: %+v", name, n.entry())
			}
			ready()
			if err := <-ended; err != nil || len(n.mounted) > 0 {
				t.Errorf("%s: %v, %v", name, err, n.mounted)
			}
			if want := (bootreport.Entry{Name: bootentry.Name(newer), State: bootreport.EntryGood, Other: bootentry.Name(older)}); n.entry() != want || int(n.restarts.Load()) > 0 {
				t.Errorf("%s: %+v, %d restarts", name, n.entry(), int(n.restarts.Load()))
			}
			if p, err := n.devices["/dev/vda1"].Read(bootentry.UKI(newer)); err != nil || string(p) != "new" {
				t.Errorf("%s: %q, %v", name, p, err)
			}
			if p, err := n.devices["/dev/vda3"].Read(bootentry.GRUBEnv); err != nil || string(p) != (grub.Environment{}).String() {
				t.Errorf("%s: %q, %v", name, p, err)
			}
			if _, there := n.meta[meta.Upgrade]; there {
				t.Errorf("%s: META has %q", name, n.meta)
			}
			time.Sleep(2 * Patience)
			if int(n.restarts.Load()) > 0 {
				t.Errorf("%s: a good system restarts", name)
			}
		})
	}
}

// TestForget: the configurations beside the systems are cleared when an encrypted STATE has the machine's, and not before.
func TestForget(t *testing.T) {
	const secret = "machine: {token: hunter2}\n"
	synctest.Test(t, func(t *testing.T) {
		n, s, ready := start(t, "quiet", uefi)
		area, err := configarea.Encode([]configarea.Entry{{Match: configarea.Default, Config: []byte(secret)}}, 4096)
		if err != nil {
			t.Fatal(err)
		}
		var inner tree.Tree
		inner.File(configarea.Path, 0o400, blob.Bytes(area))
		archive, err := cpio.Format(&inner, cpio.Options{})
		if err != nil {
			t.Fatal(err)
		}
		efi, boot := n.devices["/dev/vda1"], n.devices["/dev/vda3"]
		menu := grub.NewMenu(bootentry.Menu(older, "v1", "quiet", true)).Add(bootentry.Menu(newer, "v2", "quiet", true), newer)
		holds := []struct {
			in   install.Dir
			name string
		}{
			{efi, bootentry.Credentials(bootentry.UKI(newer))}, {efi, bootentry.Credentials(bootentry.UKI(older))},
			{boot, menu.Initrds(0)[1]}, {boot, menu.Initrds(1)[1]},
		}
		for _, h := range holds {
			content := blob.Blob(archive)
			if h.in == efi {
				content = blob.Bytes(area)
			}
			if err := errors.Join(h.in.Write(t.Context(), h.name, content), boot.Write(t.Context(), bootentry.GRUBConfig, blob.String(menu.String()))); err != nil {
				t.Fatal(err)
			}
		}
		with := func() (found int) {
			for _, h := range holds {
				if text, err := h.in.Read(h.name); err != nil {
					t.Error(err)
				} else if strings.Contains(string(text), "hunter2") {
					found++
				}
			}
			return found
		}
		go func() { _ = s.Run(t.Context()) }()
		ended := make(chan error, 1)
		go func() { ended <- s.Forget(t.Context()) }()
		ready()
		time.Sleep(time.Hour)
		if with() != len(holds) {
			t.Error("cleared, and nothing else has it")
		}
		n.kept.Set(true)
		if err := <-ended; err != nil || with() > 0 || len(n.mounted) > 0 {
			t.Errorf("%v, %d still have it, mounted: %v", err, with(), n.mounted)
		}
		text, err := boot.Read(menu.Initrds(0)[1])
		if inside, _, bad := cpio.Read(blob.Bytes(text)); err != nil || bad != nil || inside.Get(configarea.Path) == nil {
			t.Errorf("what GRUB loads is no archive any more: %v, %v", err, bad)
		}
	})
}

// TestGiveWay: what does not become ready restarts, so that the loader counts on; also where it cannot see its own disk.
func TestGiveWay(t *testing.T) {
	for name, c := range map[string]struct {
		line     string
		prepare  func(*node)
		restarts int
	}{
		"UEFI": {"quiet", uefi, 1}, "BIOS": {bios, nil, 1}, "panic=0": {bios + " panic=0", nil, 0},
		"no disk": {"quiet", func(n *node) { uefi(n); n.refuse = errors.New("no vfat") }, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, s, _ := start(t, c.line, c.prepare)
			go func() {
				for s.Run(t.Context()) != nil { // as the supervisor does
					select {
					case <-time.After(time.Minute):
					case <-t.Context().Done():
						return
					}
				}
			}()
			time.Sleep(Patience - time.Minute)
			if synctest.Wait(); int(n.restarts.Load()) > 0 {
				t.Errorf("%s: too early", name)
			}
			time.Sleep(time.Minute)
			if synctest.Wait(); int(n.restarts.Load()) != c.restarts {
				t.Errorf("%s: %d restarts", name, int(n.restarts.Load()))
			}
			if n.refuse != nil && n.entry().Error != "no vfat" {
				t.Errorf("%s: %+v", name, n.entry())
			}
		})
	}
}

// TestOthers: machines on which nothing is on trial.
func TestOthers(t *testing.T) {
	for name, c := range map[string]struct {
		line    string
		prepare func(*node)
		want    bootreport.Entry
	}{
		"no loader":    {"quiet", nil, bootreport.Entry{}},
		"an ISO":       {"BOOT_IMAGE=/other/kernel", nil, bootreport.Entry{}},
		"another disk": {"quiet", func(n *node) { uefi(n); n.variable("LoaderDevicePartUUID", "another") }, bootreport.Entry{}},
		"fell back, BIOS": {"BOOT_IMAGE=(hd0,gpt3)/boot/" + older + "/vmlinuz", nil,
			bootreport.Entry{Name: bootentry.Name(older), State: bootreport.EntryFallback, Other: bootentry.Name(newer)}},
		"no META": {"BOOT_IMAGE=/boot/" + older + "/vmlinuz", func(n *node) { n.meta = nil }, bootreport.Entry{Name: bootentry.Name(older), State: bootreport.EntryGood, Other: bootentry.Name(newer)}},
		"of an image": {"quiet", func(n *node) {
			n.variable("LoaderEntrySelected", "bootwright.efi")
			n.variable("LoaderDevicePartUUID", uuid)
			n.meta = meta.Values{}
		}, bootreport.Entry{Name: "bootwright", State: bootreport.EntryGood, Other: bootentry.Name(newer)}},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, s, ready := start(t, c.line, c.prepare)
			ready()
			if err := s.Run(t.Context()); err != nil || int(n.restarts.Load()) > 0 {
				t.Errorf("%s: %v, %d restarts", name, err, int(n.restarts.Load()))
			}
			if got := n.entry(); got != c.want && !(name == "of an image" && got.Name == c.want.Name) {
				t.Errorf("%s: %+v, want %+v", name, got, c.want)
			}
		})
	}
}

const image = "registry.example/installer:v2"

// staged runs a staged upgrade three times at most, with what containerd's client answers to each kind of command.
func staged(t *testing.T, values meta.Values, answers map[string]func(kernel.Command) error) (n *node, ran []string, errs []error) {
	t.Helper()
	n, s, ready := start(t, bios+" talos.platform=metal", nil)
	maps.Copy(n.meta, values)
	n.Programs[containerd.Client] = func(_ context.Context, c kernel.Command) error {
		kind := strings.Join(c.Args[4:6], " ")
		if kind == "run --rm" {
			ran = append(ran, strings.Join(c.Args[slices.Index(c.Args, "/bin/installer"):], " "))
		}
		if f := answers[kind]; f != nil {
			return f(c)
		}
		if kind == "images list" {
			fmt.Fprintf(c.Stdout, "%s linux/amd64 -\n", image)
		}
		return nil
	}
	ready()
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := s.Staged(t.Context(), Staging{
		Arch: "amd64", Config: &watch.Value[*config.Config]{}, Env: func(*config.Config) []string { return nil }, Processes: n,
		Add: func(sv services.Service) error {
			for range 3 {
				err := sv.Run(t.Context(), io.Discard)
				if errs = append(errs, err); err == nil {
					break
				}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, ran, errs
}

// TestStaged: META's tags go when the upgrade is done or can never be, and stay while it may yet work.
func TestStaged(t *testing.T) {
	noProgram := func(c kernel.Command) error {
		fmt.Fprintln(c.Stderr, `ctr: OCI runtime create failed: exec: "/bin/installer": stat /bin/installer: no such file or directory: unknown`)
		return &kernel.ExitError{Program: "ctr", Code: 1}
	}
	said := func(text string, code int) func(kernel.Command) error {
		return func(c kernel.Command) error {
			fmt.Fprintln(c.Stdout, text)
			if code != 0 {
				return &kernel.ExitError{Program: "ctr", Code: code}
			}
			return nil
		}
	}
	asked := meta.Values{meta.StagedUpgradeImage: []byte(image), meta.StagedUpgradeOptions: []byte(`{"Disk":"/dev/x","Force":true,"ExtraKernelArgs":["a=1"]}`)}
	for name, c := range map[string]struct {
		values   meta.Values
		answers  map[string]func(kernel.Command) error
		state    string
		attempts int
		restarts int
		want     string // in the error
	}{
		"none":           {nil, nil, "", 0, 0, ""},
		"done":           {asked, map[string]func(kernel.Command) error{"run --rm": said("0123456789cd starts next\nkernel arguments: a=1", 0)}, bootreport.UpgradeDone, 1, 1, ""},
		"there already":  {asked, map[string]func(kernel.Command) error{"run --rm": said(newer+" was there already", 0)}, bootreport.UpgradeDone, 1, 0, ""},
		"other options":  {meta.Values{meta.StagedUpgradeImage: []byte(image), meta.StagedUpgradeOptions: []byte("{")}, nil, bootreport.UpgradeDone, 1, 1, ""},
		"no room":        {asked, map[string]func(kernel.Command) error{"run --rm": said("", 2)}, bootreport.UpgradeRefused, 1, 0, "exit status 2"},
		"other machine":  {asked, map[string]func(kernel.Command) error{"images list": said(image+" linux/arm64 -", 0)}, bootreport.UpgradeRefused, 0, 0, "is for arm64"},
		"no installer":   {asked, map[string]func(kernel.Command) error{"run --rm": noProgram}, bootreport.UpgradeRefused, 1, 0, "is no installer"},
		"disk error":     {asked, map[string]func(kernel.Command) error{"run --rm": said("", 5)}, bootreport.UpgradeFailed, 3, 0, "exit status 5"},
		"nobody answers": {asked, map[string]func(kernel.Command) error{"images pull": said("", 1)}, bootreport.UpgradeFailed, 0, 0, "registry.example"},
	} {
		synctest.Test(t, func(t *testing.T) {
			n, ran, errs := staged(t, c.values, c.answers)
			var got bootreport.Upgrade
			if n.report.Upgrade != nil {
				got = *n.report.Upgrade
			}
			if got.State != c.state || !strings.Contains(got.Error, c.want) || len(ran) != c.attempts || int(n.restarts.Load()) != c.restarts {
				t.Errorf("%s: %+v, %d attempts, %d restarts, %v", name, got, len(ran), int(n.restarts.Load()), errs)
			}
			if _, there := n.meta[meta.StagedUpgradeImage]; there != (c.state == bootreport.UpgradeFailed) {
				t.Errorf("%s: META has %q", name, n.meta)
			}
			if name == "done" && ran[0] != "/bin/installer upgrade --disk /dev/vda --keep "+newer+" --platform metal --extra-kernel-arg=a=1" {
				t.Errorf("%q", ran)
			}
		})
	}
}
