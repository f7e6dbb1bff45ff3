// Package elf finds which shared libraries programs need, in a tree of files, without running anything. It reads what
// the dynamic linker reads, the program headers and the dynamic section of the System V ABI (chapter 5, gabi), and looks for
// libraries where ld.so(8) of the GNU C library would.
//
// Left out: libraries that a program opens by itself (dlopen, NSS, PAM), which the caller names as roots; the
// glibc-hwcaps folders; the tokens $LIB and $PLATFORM; /etc/ld.so.preload; musl's path file. /etc/ld.so.cache is not read: what
// ldconfig would put into it is found anew, or given.
package elf
