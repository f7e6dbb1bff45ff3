//go:build linux

package bench

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
)

// volumeRounds is how often each machine starts: TCG takes half a minute for the keys of one.
const volumeRounds = 3

// BenchmarkVolumes is a machine's first and second boot, from the start of its kernel until STATE and EPHEMERAL are mounted, beside the
// same done by hand in the same guest: Debian's systemd-repart, then the base's cryptsetup, with the same costs of keys, and mkfs.xfs. The
// kernel, the initramfs with its root image and the disk are the same; by hand, the first program is testdata/byhand.sh.
//
// NAME-volumes is from the moment that the disk's driver is there, NAME-total from the kernel's start. The phases are those of the
// boot report, the steps what the console tells of them. NAME-processor is what the machine took of a processor until it was ready,
// or by hand until the volumes were there.
func BenchmarkVolumes(b *testing.B) {
	vmtest.Need(b)
	f := prepare(b)
	dir := f.folder(b, "volumes")
	f.mustRun(b, f.bin, f.disk(dir, "raw", "raw")...)
	disk := filepath.Join(dir, "metal-amd64.raw")
	must(b, os.Truncate(disk, 6<<30))
	const luks = "{provider: luks2, keys: [{slot: 0, static: {passphrase: supersecret}}]}"
	b.Run("plain", func(b *testing.B) { f.benchVolumes(b, disk, "nodeLabels: {}", "") })
	b.Run("encrypted", func(b *testing.B) {
		f.benchVolumes(b, disk, "systemDiskEncryption: {state: "+luks+", ephemeral: "+luks+"}", " LUKS=1")
	})
}

// benchVolumes boots copies of disk twice, with a configuration that has fields, and by hand with more arguments.
func (f *fixture) benchVolumes(b *testing.B, disk, fields, arguments string) {
	ours := f.configured(b, fields)
	hand := ours
	hand.Initrd = f.byHand(b, ours.Initrd)
	hand.Append += arguments + " rdinit=/byhand panic=-1"
	got := times{}
	for round := range volumeRounds {
		ours.Image, hand.Image = f.copied(b, disk), f.copied(b, disk)
		for _, boot := range []string{"first", "second"} {
			o := hand
			if boot == "first" {
				o.Append += " FIRST=1"
			}
			for turn := range 2 { // no machine is always the first
				f.forget(b) // nor does its flush wait for what another has written
				if turn == round%2 {
					got.volumes(b, boot, ours)
				} else {
					got.volumesByHand(b, boot+"-by-hand", o)
				}
			}
		}
		f.forget(b, ours.Image, hand.Image)
	}
	got.report(b)
	for _, boot := range []string{"first", "second"} {
		got.ratio(b, boot+"-volumes", boot+"-by-hand-volumes")
		got.ratio(b, boot+"-total", boot+"-by-hand-total")
		got.ratio(b, boot+"-processor", boot+"-by-hand-processor")
	}
}

// copied is a copy of a disk that a machine may write to.
func (f *fixture) copied(b *testing.B, disk string) string {
	file, err := os.CreateTemp(f.dir, "disk-")
	must(b, err)
	must(b, file.Close())
	f.mustRun(b, oracle.Need(b, "cp"), "--sparse=always", disk, file.Name())
	return file.Name()
}

// volumes adds what a boot's phases and steps took, as far as the volumes.
func (t times) volumes(b *testing.B, boot string, o vm.Options) {
	var steps stepper
	o.As, o.Writable, o.Accel, o.Timeout, o.Serial = vm.Disk, true, "tcg", 4*time.Minute, &steps
	console, processor := booted(b, o)
	r := vmtest.Report(b, console)
	if len(r.Errors) > 0 || len(r.Mounts) != 2 {
		b.Fatalf("errors %+v, mounts %+v", r.Errors, r.Mounts)
	}
	at := map[string]time.Duration{} // when a phase began
	for _, p := range r.Phases {
		at[p.Name] = time.Duration(p.StartMS) * time.Millisecond
	}
	took := map[string]time.Duration{"total": at["identity"], "volumes": at["identity"] - at["disks"], "processor": processor}
	first := []string{"kernel", "mounts", "modules", "disks", "state", "trial", "var", "identity"}
	for i, name := range []string{"kernel", "root", "modules", "disks", "state", "documents", "var"} {
		took["phase-"+name] = at[first[i+1]] - at[first[i]]
	}
	for name, d := range steps.took {
		took["step-"+name] = d
	}
	t.add(boot, took)
}

// booted is what a machine says, and how long it has kept this computer's processors busy.
func booted(b *testing.B, o vm.Options) (console string, processor time.Duration) {
	busy := func() time.Duration {
		var u unix.Rusage
		must(b, unix.Getrusage(unix.RUSAGE_CHILDREN, &u))
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := busy()
	console = vmtest.Boot(b, o)
	return console, busy() - before
}

func (t times) add(boot string, took map[string]time.Duration) {
	for name, d := range took {
		t[boot+"-"+name] = append(t[boot+"-"+name], d)
	}
}

// volumesByHand adds the same by hand.
func (t times) volumesByHand(b *testing.B, boot string, o vm.Options) {
	o.As, o.Writable, o.Accel, o.Timeout, o.Until = vm.Disk, true, "tcg", 4*time.Minute, regexp.MustCompile("by hand: done")
	console, processor := booted(b, o)
	took := map[string]time.Duration{"processor": processor}
	var before, modules time.Duration
	for _, m := range regexp.MustCompile(`by hand: (\w+) ([0-9.]+)`).FindAllStringSubmatch(console, -1) {
		seconds, err := strconv.ParseFloat(m[2], 64)
		must(b, err)
		now := time.Duration(seconds * float64(time.Second))
		took["phase-"+m[1]] = now - before
		before = now
		if m[1] == "modules" {
			modules = now
		}
	}
	took["total"], took["volumes"] = before, before-modules
	t.add(boot, took)
}

// stepper takes a console and adds up what each kind of step took that it tells of: from its line to that of the next.
type stepper struct {
	rest    []byte
	took    map[string]time.Duration
	running string
	since   time.Time
}

// stepLine begins a step, but where a volume is mounted: nothing is timed from there to the next. Behind "encrypted" the
// volume is opened and gets its file system.
var stepLine = regexp.MustCompile(`bootwright: (?:volume \w+: (create|format|open|mounted)|\S+ is (encrypted) for) `)

func (s *stepper) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		s.rest = rest
		if m := stepLine.FindSubmatch(line); m != nil {
			s.begin(string(m[1]) + string(m[2]))
		}
	}
}

// begin ends the step that is going on.
func (s *stepper) begin(kind string) {
	if s.took == nil {
		s.took = map[string]time.Duration{}
	}
	if s.running != "" && s.running != "mounted" {
		s.took[s.running] += time.Since(s.since)
	}
	s.running, s.since = kind, time.Now()
}

// byHand is an initramfs with testdata/byhand.sh as /byhand, with what that takes of this computer's programs and their
// libraries.
func (f *fixture) byHand(b *testing.B, initramfs string) string {
	files := &tree.Tree{}
	vmtest.AddPrograms(b, files, "sh", "mkdir", "mount", "chroot", "insmod", "modprobe", "systemd-repart")
	script, err := os.ReadFile("testdata/byhand.sh")
	must(b, err)
	for path, text := range map[string]string{
		"byhand":                string(script),
		"modprobe":              "#!/bin/sh\nexec /usr/sbin/modprobe -d /base \"$@\"\n",
		"repart.d/1-state.conf": "[Partition]\nType=srv\nLabel=STATE\nSizeMinBytes=100M\nSizeMaxBytes=100M\n",
		"repart.d/2-var.conf":   "[Partition]\nType=home\nLabel=EPHEMERAL\n",
	} {
		files.File(path, 0o755, blob.Bytes([]byte(text)))
	}
	root := filepath.Join(f.folder(b, "by-hand"), "root")
	must(b, os.RemoveAll(root))
	f.mustRun(b, oracle.Need(b, "unsquashfs"), "-q", "-n", "-d", root, f.part(b, base.Root), "lib", "usr/lib/modules")
	releases, err := filepath.Glob(root + "/usr/lib/modules/*")
	must(b, err)
	f.mustRun(b, oracle.Need(b, "depmod"), "-b", root, filepath.Base(releases[0]))
	indexes, err := filepath.Glob(releases[0] + "/modules.*.bin")
	must(b, err)
	for _, index := range indexes {
		text, err := os.ReadFile(index)
		must(b, err)
		files.File("index/"+filepath.Base(index), 0o644, blob.Bytes(text))
	}
	out := filepath.Join(f.folder(b, "by-hand"), filepath.Base(filepath.Dir(initramfs))+".img")
	vmtest.AddFiles(b, initramfs, files, out)
	return out
}
