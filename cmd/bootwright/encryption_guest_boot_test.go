package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/formats/tree"
	"github.com/bootwright/bootwright/internal/vm"
	"github.com/bootwright/bootwright/internal/vm/vmtest"
)

// dumped is what the base's cryptsetup says of the volumes, by label, in another guest, whose first program is testdata/luksdump.sh: one
// that knows nothing of bootwright and is given nothing but the disk.
func (v *vault) dumped(d systemFiles) map[string]string {
	v.t.Helper()
	script, err := os.ReadFile("testdata/luksdump.sh")
	if err != nil {
		v.t.Fatal(err)
	}
	files := &tree.Tree{}
	files.File("luksdump", 0o755, blob.Bytes(script))
	vmtest.AddPrograms(v.t, files, "sh", "mkdir", "mount", "basename", "chroot", "insmod")
	initrd := filepath.Join(v.t.TempDir(), "initrd")
	vmtest.AddFiles(v.t, d.initramfs, files, initrd)
	console := vmtest.Boot(v.t, vm.Options{
		Kernel: d.kernel, Initrd: initrd, Append: "console=ttyS0 quiet panic=-1 rdinit=/luksdump",
		Image: v.disk, Until: regexp.MustCompile("luksDump: done"),
	})
	dumps := map[string]string{}
	for _, part := range strings.Split(strings.ReplaceAll(console, "\r", ""), "luksDump: ")[1:] {
		label, dump, _ := strings.Cut(part, "\n")
		dumps[label] = dump
	}
	return dumps
}

// summary is what a dump says of the cipher, its sectors in bytes and, after each key slot, its bits and how the slot's key is
// derived; then of the tokens and of the digest.
func summary(dump string) string {
	var all []string
	for _, m := range regexp.MustCompile(`(?m)^(?:  (\d+: \S+)|\t(?:cipher|sector|Key|PBKDF): +(\S+))`).FindAllStringSubmatch(dump, -1) {
		all = append(all, m[1]+m[2])
	}
	return strings.Join(all, " ")
}
