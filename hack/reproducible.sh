#!/usr/bin/env bash
# reproducible.sh BOOTWRIGHT BASE: compiles the inits and installers and builds every built-in profile and every disk format twice (but for
# .xz, which takes minutes), and pushes every container image, the second time in another folder, time zone, umask and locale, with other parallelism and an empty
# cache, as another user where that is allowed. All bytes, and so all digests of images, must be the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$1" "$work/bootwright"
cp -r --reflink=auto "$2" "$work/base"
chmod -R a+rX "$work"

profiles=$("$work/bootwright" profiles list | awk 'NR > 1 { print $1 }')
[[ $profiles ]] || { echo "no profiles" >&2; exit 1; }

# build DIR: every profile and format below DIR, with a cache of its own, of which only the digests of the files stay, in DIR/digests.
build() {
  dir=$1
  make() { LC_ALL=$locale "$work/bootwright" build "$1" --quiet --arch amd64 --base "oci:$work/base" --cache-dir "$dir/cache" "${@:2}" >/dev/null; }
  digests() { (cd "$dir" && find "$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >>digests && rm -rf "$1"); }
  for profile in $profiles; do
    make "$profile" -o "$dir/$profile"
    digests "$profile"
  done
  for format in qcow2 vhd vhdx vmdk ova; do
    make metal -o "$dir/$format" --set output.outFormat=raw --set "output.imageOptions.diskFormat=$format"
    digests "$format"
  done
  make metal -o "$dir/flat" --set output.outFormat=raw --set output.imageOptions.diskFormat=vmdk --set output.imageOptions.diskFormatOptions=subformat=monolithicFlat
  digests flat
  for profile in installer kubevirt; do
    make "$profile" --push "oci:$dir/images:$profile"
  done
  digests images
  rm -rf "$dir/cache"
}
export -f build
export work profiles

mkdir "$work/one"
(umask 022; cd "$work/one"; GOMAXPROCS=1 TZ=UTC locale=C build "$work/one")

mkdir -p "$work/other place/two" "$work/home"
chmod 777 "$work/other place/two" "$work/home"
other=(bash -euo pipefail -c 'umask 077; cd /; build "$work/other place/two"')
if ((EUID == 0)); then other=(setpriv --reuid 65534 --regid 65534 --clear-groups "${other[@]}"); fi
HOME="$work/home" GOMAXPROCS=7 TZ=Asia/Kathmandu locale=tr_TR.UTF-8 "${other[@]}"

diff "$work/one/digests" "$work/other place/two/digests"
echo "$(wc -l <"$work/one/digests") files of $(wc -w <<<"$profiles") profiles and all formats are the same, byte for byte"

mkdir "$work/source"
git ls-files -z | xargs -0 cp --parents -t "$work/source" 2>/dev/null || true # files that were removed and not committed
for program in initramfs/embedded/{init,installer}-*; do
  name=${program##*/}
  (cd "$work/source" && CGO_ENABLED=0 GOOS=linux GOARCH=${name##*-} go build -trimpath -ldflags='-s -w' -buildvcs=false -o "$work/program" "./cmd/${name%-*}")
  cmp "$program" "$work/program"
  echo "$program is the same, compiled in another folder"
done
