//go:build linux

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/builder/reference"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/iso9660"
	"github.com/bootwright/bootwright/internal/oracle"
)

// benchOthers has xorriso make an ISO of the very files in bootwright's, and grub-mkrescue one of its kernel and
// initramfs. Both get a folder that is ready; bootwright also makes the UKI and the EFI system partition.
func (f *fixture) benchOthers(b *testing.B) {
	files, rescue := f.unpacked(b), f.folder(b, "rescue")
	f.mustRun(b, oracle.Need(b, "cp"), "-r", filepath.Join(files, "boot"), rescue)
	must(b, os.Remove(filepath.Join(rescue, "boot/efi.img")))
	oracle.Need(b, "mformat") // which grub-mkrescue runs
	dir := f.folder(b, "others")
	out := func(name string) string { return filepath.Join(dir, name+".iso") }
	built := filepath.Join(dir, isoName)
	got := compare(b,
		f.program(b, "build", built, append([]string{f.bin}, f.build("iso", dir)...)...),
		f.program(b, "xorriso", out("xorriso"), f.xorriso(b, files, out("xorriso"))...),
		f.program(b, "grub-mkrescue", out("rescue"), oracle.Need(b, "grub-mkrescue"), "-o", out("rescue"), rescue, "--", "-volid", "RESCUE"),
	)
	got.ratio(b, "build", "xorriso")
	got.ratio(b, "build", "grub-mkrescue")
	for name, path := range map[string]string{"build": built, "xorriso": out("xorriso"), "grub-mkrescue": out("rescue")} {
		st, err := os.Stat(path)
		must(b, err)
		b.ReportMetric(float64(st.Size())/1e6, name+"-MB")
	}
}

// benchRebuild changes one kernel argument: another one each round, so that nobody has seen it. xorriso gets a changed
// grub.cfg and nothing else to do; the script also makes the UKI and the EFI system partition that hold the argument.
func (f *fixture) benchRebuild(b *testing.B) {
	files := f.unpacked(b)
	out := filepath.Join(f.folder(b, "rebuild"), isoName)
	script, xorriso := f.script(b, files, out), f.xorriso(b, files, out)
	config := filepath.Join(files, "boot/grub/grub.cfg")
	menu, err := os.ReadFile(config)
	must(b, err)
	fresh := func() { f.forget(b, out) }
	got := compare(b,
		entrant{"rebuild", fresh, func(round int) {
			f.mustRun(b, f.bin, f.build("iso", filepath.Dir(out), "--extra-kernel-arg", fmt.Sprint("round=", round))...)
		}},
		entrant{"xorriso", fresh, func(round int) {
			changed := strings.Replace(string(menu), "\n  initrd", fmt.Sprintf(" round=%d\n  initrd", round), 1)
			must(b, os.WriteFile(config, []byte(changed), 0o666))
			f.mustRun(b, xorriso[0], xorriso[1:]...)
		}},
		entrant{"script", fresh, func(round int) { f.mustRun(b, oracle.Need(b, "sh"), "-euc", script, fmt.Sprint("round=", round)) }},
	)
	got.ratio(b, "rebuild", "xorriso")
	got.ratio(b, "rebuild", "script")
}

// unpacked is a folder with the files of the ISO, read back out of it.
func (f *fixture) unpacked(b *testing.B) string {
	iso, err := blob.OpenFile(f.iso)
	must(b, err)
	defer iso.Close()
	volume, err := iso9660.Read(iso)
	must(b, err)
	dir := filepath.Join(f.dir, "files")
	for _, n := range volume.Tree.Nodes() {
		path := filepath.Join(dir, n.Path)
		if n.Mode.IsDir() {
			must(b, os.MkdirAll(path, 0o777))
			continue
		}
		must(b, blob.WriteFile(b.Context(), path, n.Open(), blob.WriteOptions{}))
	}
	return dir
}

// xorriso is the command line for an ISO that boots as bootwright's does.
func (f *fixture) xorriso(b *testing.B, files, out string) []string {
	return []string{oracle.Need(b, "xorriso"), "-as", "mkisofs", "-quiet", "-V", "BOOTWRIGHT", "-J", "-r", "-o", out,
		"-b", "boot/grub/eltorito.img", "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", "--grub2-boot-info",
		"--grub2-mbr", f.part(b, base.GRUBHybrid),
		"-eltorito-alt-boot", "-e", "boot/efi.img", "-no-emul-boot", "-isohybrid-gpt-basdat", files}
}

// script makes the ISO with an argument more ($0) the way people do by hand: objcopy for the UKI, mtools for the EFI system
// partition, xorriso.
func (f *fixture) script(b *testing.B, files, out string) string {
	for _, tool := range []string{"objcopy", "mformat", "mmd", "mcopy", "xorriso"} {
		oracle.Need(b, tool)
	}
	maker, done := f.builder(b)
	defer done()
	plan, _ := f.layOut(b, maker, "iso")
	esp, err := os.Stat(filepath.Join(files, "boot/efi.img"))
	must(b, err)
	return strings.NewReplacer(
		"$WORK", f.folder(b, "script"), "$FILES", files, "$CMDLINE", plan.Cmdline, "$SIZE", fmt.Sprint(esp.Size()),
		"$STUB", f.part(b, base.SystemdStub), "$MENU", f.part(b, base.SystemdBoot),
		"$XORRISO", strings.Join(f.xorriso(b, files, out), " "),
	).Replace(`
cd $WORK
echo "$CMDLINE $0" >cmdline
objcopy --add-section .cmdline=cmdline --change-section-vma .cmdline=0x30000 \
        --add-section .linux=$FILES/boot/vmlinuz --change-section-vma .linux=0x2000000 \
        --add-section .initrd=$FILES/boot/initramfs.img --change-section-vma .initrd=0x4000000 $STUB uki.efi
rm -f $FILES/boot/efi.img
truncate -s $SIZE $FILES/boot/efi.img
mformat -i $FILES/boot/efi.img -F -v EFI ::
mmd -i $FILES/boot/efi.img ::/EFI ::/EFI/BOOT ::/EFI/Linux
mcopy -i $FILES/boot/efi.img $MENU ::/EFI/BOOT/BOOTX64.EFI
mcopy -i $FILES/boot/efi.img uki.efi ::/EFI/Linux/bootwright.efi
sed "s/^  linux .*/& '$0'/" $FILES/boot/grub/grub.cfg >grub.cfg
cp grub.cfg $FILES/boot/grub/grub.cfg
$XORRISO
`)
}

// part is the file of a part of the base.
func (f *fixture) part(b *testing.B, title string) string {
	maker, done := f.builder(b)
	defer done()
	ref, err := reference.Parse(f.base)
	must(b, err)
	locked, err := maker.Images.Resolve(b.Context(), ref, "amd64")
	must(b, err)
	image, err := maker.Images.Open(b.Context(), locked)
	must(b, err)
	for _, l := range image.Layers {
		if l.Title == title {
			return l.Blob.(*blob.File).Name()
		}
	}
	b.Fatalf("%s has no part %s", f.base, title)
	return ""
}
