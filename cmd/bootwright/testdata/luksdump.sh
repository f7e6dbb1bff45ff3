#!/bin/sh
# The first program of a machine that has bootwright's kernel, initramfs and root image, and this script instead of bootwright's init: what
# the base's cryptsetup says of the volumes behind META.
set -eu
export PATH=/usr/bin:/usr/sbin
mkdir -p /proc /sys /dev /run /base
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
exec >/dev/console 2>&1

# load loads a module of the folder $modules, which does not have the index that modprobe wants, after those that it needs.
load() {
  while IFS=: read -r module needs; do
    case $module in */"$1".ko*)
      order=$module
      for need in $needs; do order="$need $order"; done
      for file in $order; do [ -e "/sys/module/$(basename "${file%%.ko*}")" ] || insmod "$modules/$file"; done ;;
    esac
  done <"$modules/modules.dep"
}
modules=$(echo /usr/lib/modules/*)
load loop
load squashfs
mount -t squashfs -o ro,loop /rootfs.sqsh /base
for d in proc sys dev run; do mount --rbind "/$d" "/base/$d"; done
modules=$(echo /base/usr/lib/modules/*)
load virtio_pci
load virtio_blk
until [ -b /dev/vda3 ]; do :; done
for partition in /sys/class/block/vda[23]/uevent; do
  . "$partition" # sets DEVNAME and PARTNAME
  echo "luksDump: $PARTNAME"
  chroot /base /usr/sbin/cryptsetup luksDump "/dev/$DEVNAME"
done
echo "luksDump: done"
read -r line </dev/console # until the machine is ended
