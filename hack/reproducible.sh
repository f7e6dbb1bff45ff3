#!/usr/bin/env bash
# reproducible.sh BOOTWRIGHT BASE: compiles the inits and builds every built-in profile twice, the second time in another
# folder, time zone, umask and locale, with other parallelism and an empty cache, as another user where that is allowed.
# All bytes must be the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cp "$1" "$work/bootwright"
cp -r --reflink=auto "$2" "$work/base"
chmod -R a+rX "$work"

profiles=$("$work/bootwright" profiles list | awk 'NR > 1 { print $1 }')
[[ $profiles ]] || { echo "no profiles" >&2; exit 1; }

# build DIR: every profile into DIR, with a cache of its own.
build() {
  for profile in $profiles; do
    LC_ALL=$locale "$work/bootwright" build "$profile" --quiet --arch amd64 --base "oci:$work/base" --cache-dir "$1/cache" -o "$1/$profile"
  done >/dev/null
  rm -rf "$1/cache"
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

diff -r "$work/one" "$work/other place/two"
find "$work/one" -type f | wc -l | xargs -I{} echo "{} files of $(wc -w <<<"$profiles") profiles are the same, byte for byte"

mkdir "$work/source"
git ls-files -z | xargs -0 cp --parents -t "$work/source" 2>/dev/null || true # files that were removed and not committed
for init in initramfs/embedded/init-*; do
  (cd "$work/source" && CGO_ENABLED=0 GOOS=linux GOARCH=${init##*-} go build -trimpath -ldflags='-s -w' -buildvcs=false -o "$work/init" ./cmd/init)
  cmp "$init" "$work/init"
  echo "$init is the same, compiled in another folder"
done
