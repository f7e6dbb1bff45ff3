//go:build linux

package bench

import (
	"bytes"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/bootwright/bootwright/builder/base"
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
	for range boots {
		got.boot(b, "ready", bootreport.Ready, vm.Options{
			Kernel: kernel, Initrd: filepath.Join(dir, "initramfs-metal-amd64.img"), Append: plan.Cmdline,
		})
		got.boot(b, "initramfs-tools", "(initramfs)", vm.Options{
			Kernel: kernel, Initrd: filepath.Join(dir, "initrd.img"),
			Append:    "console=ttyS0 root=/dev/vda rootfstype=squashfs ro break=init",
			ExtraArgs: []string{"-drive", "if=virtio,format=raw,readonly=on,file=" + f.part(b, base.Root)},
		})
	}
	got.report(b)
	got.ratio(b, "ready", "initramfs-tools")
}

// boot adds the time from the start of the machine until its console says what.
func (t times) boot(b *testing.B, name, what string, o vm.Options) {
	var console bytes.Buffer
	o.Accel, o.Timeout, o.Serial, o.Until = "tcg", 4*time.Minute, &console, regexp.MustCompile(regexp.QuoteMeta(what))
	res, err := vm.Run(b.Context(), o)
	if err != nil {
		b.Fatalf("%s: %v\n%s", name, err, console.Bytes()[max(0, console.Len()-8<<10):])
	}
	t[name] = append(t[name], res.Elapsed)
}
