// Package squashfs reads and writes squashfs images, version 4.0 (Linux, Documentation/filesystems/squashfs.rst and
// fs/squashfs/squashfs_fs.h). Read knows blocks compressed by zlib or zstd; what is written is compressed by zstd.
//
// Writing has two halves, because the length of compressed blocks is unknown until they are made: Compress writes the
// blocks of a tree's files, once, to wherever they are kept; Format lays an image around them.
//
// Left out: the compressors lzo, lz4, xz and lzma, the export table (NFS), images of other byte orders or versions.
// Hard links are files of one content: they share their blocks, not their inode.
package squashfs
