#!/bin/sh
# The first program of a machine that has bootwright's kernel, initramfs and root image, this script, and Debian's systemd-repart: what
# a person would type to make two volumes, or to open them at a later boot, and the kernel's clock after each step. The kernel's
# argument LUKS=1 has them encrypted, FIRST=1 is the first boot.
set -eu
export PATH=/usr/bin:/usr/sbin
mkdir -p /proc /sys /dev /run /base
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
exec >/dev/console 2>&1

say() {
  read -r up idle </proc/uptime
  echo "by hand: $1 $up"
}
base() { chroot /base "$@"; }
cryptsetup() { printf supersecret | base /usr/sbin/cryptsetup "$@"; }

say kernel
modules=$(echo /usr/lib/modules/*)
for module in drivers/block/loop fs/squashfs/squashfs fs/overlayfs/overlay; do insmod $modules/kernel/$module.ko; done
mount -t squashfs -o ro,loop /rootfs.sqsh /base
mount -t overlay -o lowerdir=/index:/base$modules index /base$modules # modprobe needs an index that bases have not
for d in proc sys dev run; do mount --rbind "/$d" "/base/$d"; done
echo /modprobe >/proc/sys/kernel/modprobe # for what the kernel asks for
say root
modprobe -d /base -qa virtio_pci virtio_blk
until [ -b /dev/vda4 ]; do :; done
say modules

# A system with it runs systemd-repart at every boot.
systemd-repart --definitions=/repart.d --dry-run=no --empty=refuse --seed=random --pretty=no /dev/vda
say repart
state=/dev/vda5 var=/dev/vda6
if [ "${LUKS-}" ]; then
  modprobe -d /base -qa dm_mod dm_crypt
  if [ "${FIRST-}" ]; then
    for device in $state $var; do # as package luks
      cryptsetup luksFormat --batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --sector-size 512 --pbkdf argon2id \
        --pbkdf-force-iterations 4 --pbkdf-memory 65536 --pbkdf-parallel 4 --key-file - $device
    done
    say luksFormat
  fi
  cryptsetup open --type luks2 --key-file - $state state
  cryptsetup open --type luks2 --key-file - $var var
  state=/dev/mapper/state var=/dev/mapper/var
  say open
fi
if [ "${FIRST-}" ]; then
  for device in $state $var; do base /usr/sbin/mkfs.xfs -f -q --unsupported $device; done
  say mkfs
fi
mkdir /state /var
modprobe -d /base -qa xfs
mount -t xfs $state /state
mount -t xfs $var /var
say mount
echo "by hand: done"
read -r line </dev/console # until the machine is ended
