package builder

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/bootwright/bootwright/builder/base"
	"github.com/bootwright/bootwright/formats/blob"
	"github.com/bootwright/bootwright/internal/report"
)

// grubConfig is the menu that the prebuilt GRUB reads (GRUB manual, "Writing full configuration files directly"). It speaks on the
// screen and on the first serial port, as the kernel does.
func grubConfig(kernel, initramfs, version, cmdline string) string {
	return fmt.Sprintf(`serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=3
set default=0
menuentry %s {
  linux %s %s
  initrd %s
}
`, grubQuote("bootwright "+version), kernel, grubArgs(cmdline), initramfs)
}

// grubArgs quotes each kernel argument, so that GRUB expands nothing in it. An argument whose value holds spaces loses its
// own quotes: GRUB puts some around the whole argument again, which the kernel reads the same.
func grubArgs(cmdline string) string {
	var args []string
	quoted := false
	for _, a := range strings.FieldsFunc(cmdline, func(r rune) bool {
		quoted = quoted != (r == '"')
		return r == ' ' && !quoted
	}) {
		args = append(args, grubQuote(strings.ReplaceAll(a, `"`, "")))
	}
	return strings.Join(args, " ")
}

func grubQuote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// The boot code of a hybrid ISO, and where GRUB's boot_hybrid.img holds the sector that it loads.
const (
	mbrCodeSize     = 440
	mbrKernelSector = 0x1b0
)

// grubHybridMBR is GRUB's boot code for an ISO written to a disk: it loads the El Torito image, which lies at offset at.
// The image's own boot sector skips itself when it is loaded this way, hence four sectors further on.
func grubHybridMBR(bootHybrid blob.Blob, at int64) ([]byte, error) {
	b, err := blob.ReadAll(bootHybrid, 4096)
	if err != nil || len(b) < 512 {
		return nil, report.Errorf(report.Invalid, "the base's %s is not a 512-byte boot sector (%d bytes)", base.GRUBHybrid, bootHybrid.Size())
	}
	binary.LittleEndian.PutUint64(b[mbrKernelSector:], uint64(at/512+4))
	return b[:mbrCodeSize], nil
}
