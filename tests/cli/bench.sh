#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source-path=SCRIPTDIR disable=SC2154
# Usage: bench.sh FAULTLINE WORKLOADS. The measurements run without peers, and tell a peer's right answer from a wrong one.
set -u
faultline=$(realpath "$1")
bench=$(dirname "$(dirname "$(realpath "$0")")")/bench
for program in jq cc /usr/bin/time; do
    command -v "$program" >/dev/null || { echo "skipped: no $program here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
export RUNS=1 REFS=10000 PAGES=1024 FRAMES=64 POLICIES=lru
printf "I  04001000,3\n L 1ffe000ff8,16\n M 05000000,8\n" >lackey.txt
export LACKEY=lackey.txt CACHESIM=/none DISTUTIL=/none IAF=/none IAF_BOUNDED=/none PARDA=/none DYNAMORIO=/none

"$bench/run.sh" "$faultline" textbook curve opt tlb linux sizes import >all.md
same "every part but the long ones" $? 0
ok "peers that are not here are said" test "$(grep -c 'left out: no' all.md)" = 6
ok "a few sizes equal many" grep -q 'sweep lru, 64 sizes.*| equal |' all.md
ok "fast options equal the others" grep -q 'default options.*| equal |' all.md
misses=$(awk -F'|' '/^.* lru, 64 .*no-tlb/ { print $(NF - 1) + 0 }' all.md)
ok "a count" test "${misses:-0}" -gt 1000

fake() { # fake MISSES: a peer that finds so many in 10,000 references
    printf '#!/bin/sh\necho "interval miss ratio 0.%04d"\n' "$1" >fake
    chmod +x fake
}
fake "$misses"
env CACHESIM=./fake "$bench/run.sh" "$faultline" textbook >right.md
same "a right answer" $? 0
ok "is called equal" grep -q 'libCacheSim lru.*| equal |' right.md
fake $((misses + 1))
env CACHESIM=./fake "$bench/run.sh" "$faultline" textbook >wrong.md 2>/dev/null
same "a wrong one fails" $? 1
ok "and is shown" grep -q "$((misses + 1)): DIFFERENT" wrong.md
printf '#!/bin/sh\nexit 3\n' >fake
env CACHESIM=./fake "$bench/run.sh" "$faultline" textbook >broken.md 2>err.txt
same "so does a peer that fails" $? 1
ok "with its name" has "fake" err.txt
"$bench/run.sh" "$faultline" nonsense >/dev/null 2>err.txt
same "no such part" $? 2
exit "$failed"
