// Package pe assembles unified kernel images and reads PE executables.
//
// It follows Microsoft's "PE Format" (the Portable Executable and Common Object File Format specification) and the
// UAPI group's "Unified Kernel Image" specification: a UKI is the systemd stub, an EFI program, with the kernel, its
// initrd and its command line added as sections. Content is placed by reference; only the stub's headers are read.
//
// Left out: signing (Authenticode hashes the finished image), 32-bit stubs, moving a stub's headers to make room for
// more sections, COFF symbols (dropped, as loaders never look at them), and UKIs with several profiles, whose section
// names repeat.
package pe
