#!/usr/bin/env bash
# tools.sh: installs from Debian's packages what the tests run. Quick and quiet when all of it is there.
set -euo pipefail

packages=(
  # machines
  qemu-system-x86 ovmf qemu-system-arm qemu-efi-aarch64 ipxe-qemu # the last for network cards
  swtpm                        # a TPM
  # judges
  cpio libarchive-tools        # cpio archives
  dosfstools mtools            # fsck.fat, mdir
  gdisk                        # sgdisk
  qemu-utils                   # qemu-img, qemu-io
  xorriso genisoimage p7zip-full # isoinfo, 7z
  squashfs-tools squashfs-tools-ng # unsquashfs, sqfs2tar
  skopeo umoci docker-registry containerd # images of containers
  binutils file pev sbsigntool openssl # objdump, readelf, readpe, sbverify
  yq jq libxml2-utils          # YAML; JSON; xmllint
  strace                       # that a build runs nothing
  e2fsprogs xfsprogs btrfs-progs erofs-utils cryptsetup-bin util-linux # disks to recognize; blkid
  kmod                         # depmod, modinfo
  iucode-tool                  # microcode
  make linux-headers-cloud-amd64 # kernel modules of tests
  zstd xz-utils
  chrony                       # chronyd as a time server; a machine has one such program, so this replaces another
  systemd                      # systemd-repart, to compare with
  dnsmasq-base iproute2        # a DHCP server; ip shows what the kernel has
  # what is judged
  systemd-boot-efi grub-pc-bin grub-common
  # the race detector
  gcc libc6-dev
)

missing=()
for p in "${packages[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$p" 2>/dev/null) == ii* ]] || missing+=("$p")
done
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "tools.sh knows Debian's packages only; install what these hold: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if ((EUID)); then as_root=(sudo); fi
echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null

# Its package starts a registry; tests start their own.
if [[ " ${missing[*]} " == *" docker-registry "* ]] && command -v systemctl >/dev/null; then
  "${as_root[@]}" systemctl disable --quiet --now docker-registry 2>/dev/null ||
    "${as_root[@]}" systemctl disable --quiet docker-registry
fi
