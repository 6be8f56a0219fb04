#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What people see of kernel events in a trace. Usage: kernel_events.sh FAULTLINE WORKLOAD_DIR
set -u
faultline=$1
. "$(dirname "$0")/common.sh"
golden=$(cd "$(dirname "$0")/../golden/trace" && pwd)
cd "$dir" || exit 1
cp "$golden/v1-kernel.flt" k.flt

# ---- info -----------------------------------------------------------------------
exits 0 "$faultline" info k.flt
ok "info counts hits by tracepoint" grep -qE '^kmem:mm_page_alloc +3$' out.txt
ok "the most frequent comes first" test "$(sed -n '/^kernel event /,/^$/p' out.txt | awk 'NR > 1 && NF {print $NF}' | tr '\n' ' ')" = "3 2 1 1 "
ok "a tracepoint without a signature is counted too" grep -qE '^tracepoint 3 +1$' out.txt
ok "info lists snapshots, joined from pieces" grep -qE '^start +0 +34  meminfo$' out.txt
ok "and those of processes" grep -qE '^start +70 +13  status$' out.txt
exits 0 "$faultline" info --json k.flt
ok "info --json has the counts" holds out.txt \
    '[.kernel_events[] | .count] == [3, 2, 1, 1] and .kernel_events[1].name == "oom:oom_score_adj_update"'
ok "as many as dump has hits" test "$(jq '[.kernel_events[].count] | add' out.txt)" = "$("$faultline" dump k.flt | grep -c ' hit ')"
ok "info --json has the snapshots" holds out.txt \
    '.snapshots | length == 4 and .[0] == {moment: "start", pid: 0, name: "meminfo", bytes: 34}'

# ---- dump -----------------------------------------------------------------------
exits 0 "$faultline" dump k.flt
ok "dump names tracepoint and fields" has \
    'hit probe=kmem:mm_page_alloc cpu=1 tid=70 pfn=1234 order=0 gfp_flags=0x140dca migratetype=1' out.txt
ok "dump resolves texts" has 'name="dentry" bytes_req=192' out.txt
ok "a sample's event has its name" has 'sample event="mem-loads"' out.txt
ok "a line each" test "$(wc -l <out.txt)" = "$("$faultline" info --json k.flt | jq .events)"

# ---- without ----------------------------------------------------------------------
cp "$golden/v1-small.flt" small.flt
exits 0 "$faultline" info --json small.flt
ok "a trace without has no such keys" holds out.txt '(has("kernel_events") or has("snapshots")) | not'
exits 0 "$faultline" info small.flt
ok "nor such a table" lacks 'kernel event' out.txt

# ---- cut short ----------------------------------------------------------------------
head -c $(($(stat -c %s k.flt) - 60)) k.flt >cut.flt # the END block is gone
exits 1 "$faultline" info cut.flt
"$faultline" info --partial --json cut.flt >out.txt 2>err.txt
ok "the good part of a cut trace is counted" holds out.txt '[.kernel_events[].count] | add == 7'

exit $failed
