#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# all.sh - install what is missing, build, and pass every test: sanitizers, fuzzers, then the release.
set -eu
cd "$(dirname "$0")/.."

sh tests/install-deps.sh test
export FAULTLINE_WERROR=ON CTEST_PARALLEL_LEVEL="${CTEST_PARALLEL_LEVEL:-$(nproc)}"

status=0
for preset in asan fuzz release; do
    echo "== $preset"
    tests=ON
    [ "$preset" = fuzz ] && tests=OFF
    cmake --preset "$preset" -DFAULTLINE_TESTS=$tests >/dev/null
    cmake --build --preset "$preset"
    ctest --preset "$preset" || status=1
done
exit $status
