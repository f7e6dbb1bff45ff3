//go:build linux

package bench

import (
	"bytes"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/initramfs/embedded"
	"github.com/bootwright/bootwright/internal/oracle"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
	"github.com/bootwright/bootwright/machine/bootreport"
)

// boots is how often each machine starts: a boot takes seconds.
const boots = 5

// benchBoot boots the base's kernel, without firmware or boot loader, to the moment when its root is mounted and ready: with
// bootwright's initramfs, which holds the root image, and with one of Debian's initramfs-tools (MODULES=most), which
// mounts the same root image from a disk and stops where it would start that system's init.
func (f *fixture) benchBoot(b *testing.B) {
	vmtest.Need(b)
	dir := f.folder(b, "boot")
	f.mustRun(b, f.bin, f.build("initramfs", dir)...)
	maker, done := f.builder(b)
	plan, _ := f.layOut(b, maker, "initramfs")
	done()
	for _, tool := range []string{"apt-get", "dpkg-deb", "unshare"} {
		oracle.Need(b, tool)
	}
	f.mustRun(b, "./initrd.sh", plan.KernelVersion, dir)

	kernel := f.part(b, base.Kernel)
	got := times{}
	var resident int64
	for range boots {
		console := got.boot(b, "ready", bootreport.Ready, vm.Options{
			Kernel: kernel, Initrd: filepath.Join(dir, "initramfs-metal-amd64.img"), Append: plan.Cmdline,
		})
		resident = max(resident, got.split(b, console))
		got.boot(b, "initramfs-tools", "(initramfs)", vm.Options{
			Kernel: kernel, Initrd: filepath.Join(dir, "initrd.img"),
			Append:    "console=ttyS0 root=/dev/vda rootfstype=squashfs ro break=init",
			ExtraArgs: []string{"-drive", "if=virtio,format=raw,readonly=on,file=" + f.part(b, base.Root)},
		})
	}
	got.report(b)
	got.ratio(b, "ready", "initramfs-tools")
	got.ratio(b, "init-user", "ready")
	b.ReportMetric(float64(resident)/1e6, "init-resident-MB")
	init, err := embedded.Init("amd64")
	must(b, err)
	b.ReportMetric(float64(init.Size())/1e6, "init-binary-MB")
}

// split adds the time that a boot's longer phases took, and what init itself took of the processor; it returns init's
// resident memory in bytes. The kernel's phase is what comes before init.
func (t times) split(b *testing.B, console []byte) (resident int64) {
	r, err := bootreport.Find(console)
	must(b, err)
	add := func(name string, ms int64) { t[name] = append(t[name], time.Duration(ms)*time.Millisecond) }
	for _, p := range r.Phases {
		if p.DurationMS >= 20 || len(t["phase-"+p.Name]) > 0 {
			add("phase-"+p.Name, p.DurationMS)
		}
	}
	add("init-user", r.Init.UserMS)
	add("init-system", r.Init.SystemMS)
	return r.Init.Resident
}

// boot adds the time from the start of the machine until its console says what, and returns the console.
func (t times) boot(b *testing.B, name, what string, o vm.Options) []byte {
	var console bytes.Buffer
	o.Accel, o.Timeout, o.Serial, o.Until = "tcg", 4*time.Minute, &console, regexp.MustCompile(regexp.QuoteMeta(what))
	res, err := vm.Run(b.Context(), o)
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, console.Bytes()[max(0, console.Len()-8<<10):])
	}
	t[name] = append(t[name], res.Elapsed)
	return console.Bytes()
}
