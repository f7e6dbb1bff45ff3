// Package zstd compresses to and reads Zstandard frames (RFC 8878). What it writes is a concatenation of independent
// frames, so that compression is parallel, a piece can be replaced or cached by itself, and the Linux kernel can unpack
// each piece of an initramfs.
//
// Left out: dictionaries, and skippable frames on writing, which the kernel refuses in an initramfs.
package zstd
