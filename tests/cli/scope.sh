#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --scope, --base and --memcg from outside.
# Usage: scope.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

run() { # run FILE ARG...: a result of p.flt
    local out=$1
    shift
    "$faultline" replay p.flt --policy linux --no-tlb "$@" -o "$out" 2>err
}
refused() { # refused PATTERN ARG...: usage error that says PATTERN
    local pattern=$1
    shift
    run x.json "$@"
    ok "exit 2, says '$pattern': $*" test $? = 2 -a "$(grep -c -- "$pattern" err)" = 1
}

# 16000 pages written twice in order: 62.5 MiB
perl -e 'binmode STDOUT; for (1, 2) { print pack("Q<", $_ | 1 << 63) for 0 .. 15999 }' >p.bin
"$faultline" import --from pages p.bin -o p.flt || exit 1

# ---- what the scope is --------------------------------------------------------------
run group.json --ram 64M --swap max
ok "a group that has room for all" holds group.json \
    '.machine.scope == "memcg" and .machine.memcg == "v2" and .faults.major == 0 and
     .reclaim.reclaimed == 0 and (.machine | has("base_bytes") | not)'
run machine.json --ram 64M --scope machine --base 0
ok "a machine of that size keeps some free" holds machine.json \
    '.machine.scope == "machine" and .machine.base_bytes == 0 and .machine.min_free_kbytes == 3200
     and .faults.major > 0 and .reclaim.direct + .reclaim.background == .reclaim.reclaimed and
     .reclaim.background > 0 and .resident.peak_pages < 16384 - 800'
run again.json --ram 64M --scope machine --base 0
ok "the same bytes twice" cmp -s machine.json again.json
run base.json --ram 80M --scope machine --base 16M
ok "what others use is not there for the program" holds base.json \
    '.machine.base_bytes == 16777216 and .faults.major > 0'
run frames.json --frames 16384 --scope machine
ok "data frames are all the program's but for the watermarks" holds frames.json \
    '.machine.base_bytes == 0 and .faults.major > 0'
run typical.json --ram 256M --scope machine
ok "an idle kernel's base unless said: 1/64 and 128M" holds typical.json \
    '.machine.base_bytes == (256 / 64 + 128) * 1048576 and .faults.major == 0'
"$faultline" replay p.flt --ram 64M --no-tlb -o lru.json
"$faultline" replay p.flt --ram 64M --no-tlb --scope memcg -o lru2.json
ok "a textbook policy has no scope" holds lru.json \
    '.machine.scope == "machine" and (.machine | has("memcg") | not) and .faults.major == 0'
ok "and counts the same in either" test \
    "$(jq -c '[.faults, .swap, .reclaim]' lru.json)" = "$(jq -c '[.faults, .swap, .reclaim]' lru2.json)"

# ---- swap and its end ----------------------------------------------------------------
run v2.json --ram 32M --swap 16M --memcg v2
run v1.json --ram 32M --swap 16M --memcg v1
for v in v1 v2; do
    ok "$v: swap is limited, then somebody is killed" holds $v.json \
        ".machine.memcg == \"$v\" and .swap.peak_pages <= 4096 and (.oom.kills | length) == 1"
done
run kill.json --ram 48M --swap 0 --scope machine --base 0
ok "a machine without swap kills" holds kill.json \
    '(.oom.kills | length) == 1 and .swap.pages_out == 0'
run none.json --ram 48M --scope machine --base 0 --memcg none
ok "a kernel without memory groups" holds none.json '.machine.memcg == "none" and .faults.major > 0'

# ---- a group on a machine ----------------------------------------------------------------
for p in linux mglru; do
    run alone.json --ram 48M --policy $p
    run host.json --ram 48M --policy $p --host-ram 1G
    ok "$p: frames out of a machine change no count" test \
        "$(jq -c '[.faults, .swap, .reclaim]' alone.json)" = "$(jq -c '[.faults, .swap, .reclaim]' host.json)"
    ok "$p: and are told apart" holds host.json '.machine.host_ram_bytes == 1073741824 and
        .machine.base_bytes == (1024 / 64 + 128) * 1048576 and .buddy.orders[0].allocs > 12288'
    ok "$p: alone they are not" holds alone.json 'has("buddy") or .machine.host_ram_bytes | not'
done

# ---- what is refused -------------------------------------------------------------------
refused 'more --ram' --ram 100M --scope machine
refused '--base: ' --ram 100M --scope machine --base lots
refused 'not one of none, v1, v2' --ram 100M --memcg v3
refused 'not one of memcg, machine' --ram 100M --scope host
refused '--host-ram' --ram 100M --scope machine --host-ram 1G
refused '--host-ram' --ram 1G --host-ram 512M

exit $failed
