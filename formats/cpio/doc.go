// Package cpio lays out and reads archives in cpio's "newc" format, the form of an initramfs. The specification is the
// Linux kernel's Documentation/driver-api/early-userspace/buffer-format.rst; the limits are those of its init/initramfs.c,
// which drops a record that exceeds them without a word, so that Format refuses it.
//
// Left out: extended attributes, which the format cannot hold; writing hard links; the old binary and "odc" formats. The
// checksums of the "crc" variant (magic 070702) are read past, not verified.
package cpio
