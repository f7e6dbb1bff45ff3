// Package kmod reads Linux kernel modules and keeps the index by which they are found and ordered: what depmod(8) makes
// and modprobe(8) uses.
//
// A module is an ELF relocatable object (.ko, or compressed as .ko.gz, .ko.xz, .ko.zst) whose .modinfo section holds
// NUL-separated key=value fields (include/linux/module.h). The index files are those of kmod(8), version 30:
// modules.dep(5), modules.alias, modules.softdep (modprobe.d(5)), and the kernel's own modules.builtin,
// modules.builtin.modinfo and modules.order (Documentation/kbuild/kbuild.rst).
//
// Left out: modules.symbols (the depends field of the build says the same), modules.devname, the binary indexes (a sorted
// modules.alias reads faster, see ReadIndex), weakdep fields (hints for initramfs makers that load nothing), 32-bit and
// big-endian modules.
package kmod
