// Package iso9660 lays out bootable CD-ROM file systems and reads them.
//
// It follows ECMA-119 (ISO 9660), levels 1 to 3; IEEE P1281 and P1282, the System Use Sharing Protocol and Rock Ridge,
// as RRIP_1991A, the version every reader knows; Microsoft's Joliet specification, level 3; and the El Torito bootable
// CD-ROM format, version 1.0, without emulation and with the sections that UEFI section 13.3.2 uses.
//
// Format computes tables and refers to content. A file whose content is part of a bigger file's shares its sectors, so a
// kernel inside the EFI system partition image costs nothing to offer a second time. The first 32 KiB stay a hole for
// the partition tables of a hybrid image, and the volume covers every file, as firmware takes a boot image "to the end
// of the volume" where its size does not fit the catalogue.
//
// Folders may be deeper than the eight levels of ECMA-119 section 6.8.2.1: Linux, xorriso (which writes so itself),
// isoinfo, libarchive, 7-Zip and GRUB all read them, while the relocation of Rock Ridge shows a folder in two places to
// readers of plain names, and is often done wrong. Read understands relocated folders.
//
// Left out: extended attributes, multi-session and multi-volume sets, blocks other than 2048 bytes, interleaved files
// (refused), zisofs compression (read as stored), and writing floppy or hard disk emulation.
package iso9660
