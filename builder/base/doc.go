// Package base makes and reads bases: the kernel, modules, firmware, root file system and boot loaders of which assets are
// built, as one OCI image (image-spec 1.1) whose layers are plain files.
//
// Build makes a base from Debian packages that apt fetches, as an ordinary user and without installing anything; the few
// programs it runs (mksquashfs, grub-mkimage) come from packages too, so that the same packages give the same bytes on
// any machine. contents.go is the list of what goes in.
//
// It is the one package of an asset's way that runs programs; making a base is rare, and building an asset from one runs
// none. Left out: other distributions, kernels of one's own, microcode (an extension), pushing to a registry.
package base
