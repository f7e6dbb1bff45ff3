#!/usr/bin/env bash
# initrd.sh RELEASE DIR: leaves DIR/initrd.img, which Debian's initramfs-tools make for the kernel RELEASE as it comes
# (MODULES=most). Packages are unpacked over this machine's files in a mount namespace of their own, in memory, so that
# nothing is installed. Needs root, or user namespaces.
set -euo pipefail
release=$1 dir=$2
if [[ -z ${INSIDE-} ]]; then
  mkdir -p "$dir/debs"
  (cd "$dir/debs" && apt-get download -qq initramfs-tools initramfs-tools-core klibc-utils libklibc busybox udev kmod cpio zstd "linux-image-$release" 2>/dev/null)
  flags=(--mount --propagation private)
  if ((EUID)); then flags+=(--user --map-root-user); fi
  INSIDE=1 exec unshare "${flags[@]}" "$0" "$release" "$dir"
fi
dir=$(realpath "$dir")
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{upper,work,root}
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
for deb in "$dir"/debs/*.deb; do
  dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C /mnt/root # /lib and others are symbolic links
done
mount --rbind /dev /mnt/root/dev
mount --rbind /proc /mnt/root/proc
mount -t tmpfs tmpfs /mnt/root/tmp
chroot /mnt/root sh -euc 'depmod "$0" && mkinitramfs -o /tmp/initrd.img "$0"' "$release"
cp /mnt/root/tmp/initrd.img "$dir/initrd.img"
