// Package blocks compresses what a squashfs image holds: the blocks of its files, which Write makes once and whose index
// Open reads, and the metadata blocks of its tables.
package blocks
