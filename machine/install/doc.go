// Package install puts a system onto a disk, and a new one beside the one that runs. It plans first, as a list of steps, each of
// which is on the disk before the next begins, so that a power cut at any moment leaves a machine that boots the old system or the
// new one, or a disk that plainly holds none:
//
//	install  nothing  what says that there is something on the disk is cleared
//	         content  file systems, boot loaders and META
//	         backup   partition table at the end of the disk
//	         table    entries at its start, then the one sector with the header that makes all of it visible
//	upgrade  room     systems that are neither the one to keep nor the new one go
//	         files    of the new system, beside their names, then under them
//	         menu     what the boot loader starts next, replaced by a rename
//	         loader   systemd-boot, where the new system brings a newer one, replaced by a rename
//	         note     in META, of what to fall back to
//
// META has its place before the table and not behind it: a disk that shows up has its values.
//
// Left out: file systems that machines make themselves at their first boot; which disk to take and where an installer comes from;
// an upgrade of GRUB, of which there is one core image that cannot be replaced in one step.
package install
