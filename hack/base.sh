#!/usr/bin/env bash
# base.sh BOOTWRIGHT DIR ARCHES [OPTION...]: makes the base for each of ARCHES in the OCI layout DIR, unless it is there
# already and the code that makes it is what it was then. Newer Debian packages are no reason to make it anew: remove DIR
# for that.
set -euo pipefail
bootwright=$1 dir=$2 arches=$3
shift 3

key=$({ find builder/base formats -name '*.go' ! -name '*_test.go' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
        echo "$arches $*"; } | sha256sum | cut -c1-64)
if [[ -f $dir/.made-by && $(<"$dir/.made-by") == "$key" ]]; then
  echo "base $dir is up to date"
  exit
fi
start=$SECONDS
rm -rf "$dir"
mkdir -p "$(dirname "$dir")"
for arch in $arches; do
  "$bootwright" base build --arch "$arch" "$@" -o "oci:$dir"
done
echo "$key" >"$dir/.made-by"
echo "made base $dir in $((SECONDS - start)) s"
