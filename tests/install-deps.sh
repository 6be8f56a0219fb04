#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# install-deps.sh [test] - install what is missing of faultline's Debian packages.
set -eu

build="gcc g++ libc6-dev cmake ninja-build pkg-config libzstd-dev libxxhash-dev nettle-dev libjansson-dev
       libbpf-dev libelf-dev libpfm4-dev libxml2-dev libtomlplusplus-dev valgrind gnuplot-nox"
test="libcmocka-dev clang libclang-rt-14-dev clang-format libxml2-utils man-db jq yq sqlite3 procps
      curl time chromium chromium-driver poppler-utils openmpi-bin"

wanted=$build
[ "${1:-}" = test ] && wanted="$build $test"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "not a Debian system; make sure these are installed:" $wanted >&2
    exit 0
fi
missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root=sudo
    command -v sudo >/dev/null || { echo "run as root: apt-get install$missing" >&2; exit 1; }
fi
echo "installing:$missing" >&2
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing >/dev/null
