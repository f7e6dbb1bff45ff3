package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/bootwright/bootwright/builder/fetch/registrytest"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/crashlog"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootentry"
	"github.com/bootwright/bootwright/machine/bootreport"
	"github.com/bootwright/bootwright/machine/grub"
	"github.com/bootwright/bootwright/machine/layout"
	"github.com/bootwright/bootwright/machine/meta"
)

// What a machine says before and after the files of a new system are written.
const (
	upgradeImage  = "registry.example/acme/installer:v2"
	upgradeBegun  = "run " + upgradeImage + " upgrade"
	upgradeStarts = " starts next"
)

// upgraded is what a machine says when its new system is good, in this boot or since an earlier one.
var upgraded = regexp.MustCompile(isGood().String() + "|" + regexp.QuoteMeta(bootreport.Prefix) +
	`.*"commandLine":"[^"]*marker=upgraded.*"entry":\{"name":"[^"]*","state":"good".*"target":"/var".*"readyMs":\d+`)

// TestBootPowerCutsUpgrade cuts the power while a machine upgrades itself, and while its new system proves itself. Each cut leaves a whole
// old system or a whole new one, for either firmware, and the machine comes to the new one.
func TestBootPowerCutsUpgrade(t *testing.T) {
	vmtest.Need(t)
	t.Parallel()
	host := registrytest.Start(t, registrytest.Options{}).Host
	bootwright(t, "build", "installer", "--arch", "amd64", "--base", vmtest.Base(t), "--cache-dir", t.TempDir(), "--push", "http://"+host+"/acme/installer:v2")
	systems := &systems{checked: map[string]bool{}}
	s := &scenario{
		name: "upgrade", disk: stagedDisk(t, host), most: 24, says: []string{upgradeBegun, upgradeStarts},
		kept: systems.kept, booted: systems.ready, judge: judgeTable,
		machine: func(disk, log string) vm.Options {
			return vm.Options{
				Image: disk, Writable: true, WriteLog: log, Firmware: vm.UEFI, Reboots: true, Until: upgraded, Timeout: 3 * bootTwice / 2, // an image is pulled in between
				ExtraArgs: []string{"-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0"},
			}
		},
	}
	s.run(t)
}

// stagedDisk is the disk of a machine that has run, and whose META now asks for an upgrade to an image of the registry at host.
func stagedDisk(t *testing.T, host string) string {
	t.Helper()
	config := upgradeConfig(t, "kept", host)
	disk := installedDisk(t, installerRoot(t), "--config", config)
	vmtest.Boot(t, vm.Options{Image: disk, Writable: true, Firmware: vm.UEFI, Timeout: bootTwice, Until: regexp.MustCompile(bootreport.Prefix + `.*"target":"/var".*"readyMs"`)})
	f, err := os.OpenFile(disk, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range partitions(opened(t, disk)) {
		if p.Name == layout.Meta {
			if err := meta.Write(inFile{io.NewOffsetWriter(f, p.Start), f}, meta.Values{meta.StagedUpgradeImage: []byte(upgradeImage), meta.UserReserved1: []byte("mine")}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return disk
}

// inFile is a partition of a disk that is a file.
type inFile struct {
	io.WriterAt
	disk *os.File
}

func (p inFile) Sync() error { return p.disk.Sync() }

// systems knows the files of an old system and a new one.
type systems struct {
	once    sync.Once
	err     error
	whole   map[string]blob.Digest // by their names, without what is counted in them
	checked map[string]bool        // files of the log that were found whole, by where they are and what was written there
}

// counted is what a file is called whatever its tries.
func counted(name string) string {
	if e, ok := bootentry.Parse(path.Base(name)); ok {
		return bootentry.UKI(e.ID)
	}
	return name
}

// learn reads the systems of the disk before the upgrade, and behind it.
func (y *systems) learn(s *scenario) {
	delete(s.after.meta, meta.Upgrade) // as in kept: it goes behind what the recording ends with
	y.whole = map[string]blob.Digest{}
	for _, file := range []string{s.disk, s.final} {
		disk, err := blob.OpenFile(file)
		if err != nil {
			y.err = err
			return
		}
		defer disk.Close()
		for _, label := range []string{layout.EFI, layout.Boot} {
			v, err := volume(disk, label)
			if err != nil {
				y.err = err
				return
			}
			for _, n := range v.Tree.Nodes() {
				if name := counted(n.Path); y.err == nil && n.Mode.IsRegular() && y.whole[name] == "" {
					y.whole[name], y.err = blob.Sum(context.Background(), n.Open())
				}
			}
		}
	}
}

// kept wants whole systems in both partitions, and the volumes and values there were.
func (y *systems) kept(s *scenario, at int, disk blob.Blob, got seen) error {
	if y.once.Do(func() { y.learn(s) }); y.err != nil {
		return y.err
	}
	delete(got.meta, meta.Upgrade) // comes and goes, and says what is in the menus too
	err := volumesKept(s, at, disk, got)
	if string(got.meta[meta.UserReserved1]) != "mine" {
		err = errors.Join(err, fmt.Errorf("META has %q", got.meta))
	}
	return errors.Join(err, y.efi(s, at, disk), y.boot(s, at, disk))
}

// efi wants systemd-boot, and a system in what it starts.
func (y *systems) efi(s *scenario, at int, disk blob.Blob) error {
	v, err := volume(disk, layout.EFI)
	if err != nil {
		return err
	}
	starts := 0
	for _, n := range v.Tree.Nodes() {
		e, ok := bootentry.Parse(path.Base(n.Path))
		if ok && n.Size() > 0 { // what has no content is none to systemd-boot
			if err := y.file(s, at, disk, v.Tree, n.Path); err != nil {
				return err
			}
			if e.Left != 0 {
				starts++
			}
		}
	}
	conf := v.Tree.Get(bootentry.LoaderConf)
	if conf == nil || starts == 0 {
		return fmt.Errorf("EFI has %v, and %d systems that start", conf, starts)
	}
	text, err := blob.ReadAll(conf.Open(), 1<<20)
	if id := bootentry.Default(string(text)); err != nil || y.whole[bootentry.UKI(id)] == "" {
		return errors.Join(fmt.Errorf("%s starts %q", bootentry.LoaderConf, id), err)
	}
	return y.file(s, at, disk, v.Tree, bootentry.Removable("amd64"))
}

// boot wants whole files in each entry of GRUB's menu, and something that GRUB can count in.
func (y *systems) boot(s *scenario, at int, disk blob.Blob) error {
	v, err := volume(disk, layout.Boot)
	if err != nil {
		return err
	}
	texts := map[string]string{}
	for _, name := range []string{bootentry.GRUBConfig, bootentry.GRUBEnv} {
		if n := v.Tree.Get(name); n != nil {
			text, err := blob.ReadAll(n.Open(), 1<<20)
			if err != nil {
				return err
			}
			texts[name] = string(text)
		}
	}
	menu, err := grub.ParseMenu(texts[bootentry.GRUBConfig])
	if err != nil || menu.Len() == 0 {
		return fmt.Errorf("%s: %q: %w", bootentry.GRUBConfig, texts[bootentry.GRUBConfig], err)
	}
	if _, err := grub.ParseEnvironment(texts[bootentry.GRUBEnv]); err != nil && menu.Trial != "" {
		return fmt.Errorf("the menu counts in %s: %w", bootentry.GRUBEnv, err)
	}
	for i := range menu.Len() {
		for _, name := range append(menu.Initrds(i), menu.Kernel(i)) {
			if err := y.file(s, at, disk, v.Tree, strings.TrimPrefix(name, "/")); err != nil {
				return err
			}
		}
	}
	return nil
}

// file wants a file as it was before the upgrade, or is behind it. One that was whole in a state of the log is not read again until something
// is written to where it is.
func (y *systems) file(s *scenario, at int, disk blob.Blob, in *tree.Tree, name string) error {
	n := in.Get(name)
	if n == nil {
		return fmt.Errorf("there is no %s", name)
	}
	key := ""
	if _, ok := disk.(*crashlog.Disk); ok {
		key = s.written(at, disk, n.Open())
	}
	if key != "" && y.checked[name+key] {
		return nil
	}
	got, err := blob.Sum(context.Background(), n.Open())
	if err != nil || got != y.whole[counted(name)] {
		return errors.Join(fmt.Errorf("%s is neither as it was nor as it is to be", name), err)
	}
	if key != "" {
		y.checked[name+key] = true
	}
	return nil
}

// written says where content is on a disk, and what a log of at entries has written there; "" where a cut may lose some of that.
func (s *scenario) written(at int, disk, content blob.Blob) string {
	flushed := at
	for flushed > 0 && !s.log.Entries[flushed-1].Flush {
		flushed--
	}
	key := ""
	for _, e := range blob.Map(content) {
		off, _ := blob.Offset(disk, e.Blob)
		last := 0
		for i, w := range s.log.Entries[:at] {
			if w.Offset < off+e.Blob.Size() && w.Offset+w.Size > off {
				last = i + 1
			}
		}
		if last > flushed {
			return ""
		}
		key += fmt.Sprintf(" %d+%d/%d", off, e.Blob.Size(), last)
	}
	return key
}

// hasIt is what a machine says whose META still asked for the system that runs: the power went between the two.
var hasIt = regexp.MustCompile(`this is the system of ` + regexp.QuoteMeta(upgradeImage) + ` already`)

// ready wants a machine whose new system is good, and that has forgotten nothing but what it was asked for.
func (y *systems) ready(t *testing.T, s *scenario, at int, console, disk string) {
	t.Helper()
	volumesReady(t, s, at, console, disk)
	r := lastReport(t, console)
	if r.Entry == nil || r.Entry.Other == "" || r.Entry.State == bootreport.EntryFallback || !strings.Contains(r.CommandLine, "bootwright.marker=upgraded") {
		t.Errorf("entry %+v, arguments %s", r.Entry, r.CommandLine)
	}
	got, err := s.look(opened(t, disk), &s.secrets)
	if err != nil {
		t.Fatal(err)
	}
	if got.meta[meta.StagedUpgradeImage] != nil {
		o := s.machine(disk, "")
		o.Until = hasIt
		vmtest.Boot(t, o)
	}
}
