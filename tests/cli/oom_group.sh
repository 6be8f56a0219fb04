#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whom a replay kills, against whom the kernel killed: programs of several processes, recorded once, and run
# for real in a memory group of their own, without swap and with a zram device. As root, with memory groups of
# version 1 and a kernel log. Usage: oom_group.sh FAULTLINE WORKLOADS. Exit: 0 all right, 1 not, 77 not possible here.
set -u
faultline=$(realpath "${1:?usage: oom_group.sh FAULTLINE WORKLOADS}")
siblings=$(realpath "${2:?usage: oom_group.sh FAULTLINE WORKLOADS}")/siblings
. "$(dirname "$0")/common.sh"
site=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
[ "$(id -u)" = 0 ] && [ -n "$site" ] || { echo "skipped: not root, or no memory groups of version 1"; exit 77; }
[ "$(wc -l </proc/swaps)" = 1 ] || { echo "skipped: swap is on"; exit 77; }
for tool in python3 dmesg taskset; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
dmesg >/dev/null 2>&1 || { echo "skipped: the kernel's log cannot be read"; exit 77; }
cd "$dir" || exit 1
"$faultline" record -o try.flt -- "$siblings" 1 10 >/dev/null 2>&1 || { echo "skipped: cannot record here"; exit 77; }
group= device=
trap 'swap_off; [ -z "$group" ] || rmdir "$group" 2>/dev/null; rm -rf "$dir"' EXIT

# The kernel's victims in order, "NAME BADNESS" each: of its log, the table of tasks before the line that
# says which memory group it was. Columns of the table by name, since kernels differ.
cat >kernel.py <<'P'
import re, sys
group, pages, columns, tasks = sys.argv[1], int(sys.argv[2]), [], {}
for line in sys.stdin:
    text = re.sub(r'^\[[^]]*\] ', '', line)
    if text.startswith('[  pid  ]') or text.startswith('[ pid ]'):
        columns, tasks = text.split(']', 1)[1].split(), {}
    elif columns and text.startswith('['):
        row = dict(zip(columns, text.split(']', 1)[1].split()))
        tasks[row['tgid']] = row
    m = re.search(r'oom-kill:.*,pid=(\d+)', text)
    if m and f'/{group},' in text and m[1] in tasks:
        t = tasks[m[1]]
        print(t['name'], int(t['rss']) + int(t['swapents']) + int(t['pgtables_bytes']) // 4096
              + int(t['oom_score_adj']) * (pages // 1000))
P
# The kernel's counters may be 31 pages off on a CPU, each of three: who is that near may be taken instead.
cat >compare.py <<'P'
import json, sys
name, kernel = sys.argv[1], [line.split() for line in open('kernel.txt')]
oom = json.load(open('r.json'))['oom']
model = [(k['comm'], k['badness']) for k in oom['kills']]
ours = {c['comm']: c['badness'] for c in oom['candidates']}
equal = [k[0] for k in kernel] == [m[0] for m in model]
near = bool(kernel and model) and model[0][1] - ours.get(kernel[0][0], 0) <= 3 * 31
off = abs(ours[kernel[0][0]] - int(kernel[0][1])) / int(kernel[0][1]) * 100 if kernel else 100
note = '' if equal else '; as near as equal' if near else ''
print(f'  {name}: kernel {kernel}, model {model}, {off:.2f} % off{note}')
sys.exit(not (equal or near) or off > 1.5) # 1 % and what the counters may be off
P

swap_on() { # swap_on MIB: a device of that size, all of it to be used
    device=$(cat /sys/class/zram-control/hot_add) && echo $(($1 * 1048576)) >"/sys/block/zram$device/disksize" &&
        mkswap "/dev/zram$device" >/dev/null && swapon "/dev/zram$device"
}
swap_off() {
    [ -n "$device" ] || return
    swapoff "/dev/zram$device" 2>/dev/null
    echo 1 >"/sys/block/zram$device/reset"
    echo "$device" >/sys/class/zram-control/hot_remove
    device=
}

scene() { # scene NAME LIMIT_MIB SWAP_MIB ARGUMENT_OF_SIBLINGS...
    local name=$1 bytes=$(($2 * 1048576)) swap=$3
    shift 3
    group=$site/faultline-test-oom-group-$$-$name
    mkdir "$group" && echo $bytes >"$group/memory.limit_in_bytes" || { failed=1; return; }
    if [ "$swap" -gt 0 ]; then
        swap_on "$swap" || { echo "skipped: $name: no zram here"; swap_off; rmdir "$group"; return; }
    fi
    # one CPU: the kernel's counters are then a few dozen pages off at most
    timeout -s KILL 60 sh -c "echo \$\$ >'$group/cgroup.procs'; exec taskset -c 0 \"\$@\"" sh "$siblings" 2 "$@"
    sleep 0.3
    dmesg | python3 kernel.py "${group##*/}" $((bytes / 4096 + swap * 256)) >kernel.txt
    for _ in $(seq 20); do rmdir "$group" 2>/dev/null && break; sleep 0.1; done
    group=
    swap_off
    "$faultline" record -o t.flt -- "$siblings" 2 "$@" >/dev/null 2>&1
    "$faultline" replay t.flt --policy linux --scope memcg --memcg v1 --ram $bytes --swap "${swap}M" --swap-device zram \
        --no-tlb -o r.json || failed=1
    ok "$name: the kernel's victims, badness within 1.5 %" python3 compare.py "$name"
}
scene sizes 100 0 20000 12000
scene adjusted 100 0 20000 12000:400
scene alike 110 0 12000 12000 12000
scene grows 110 0 30000 5000 5000
scene nearly 80 0 14000 14000:1 3000
scene mixed 100 0 8000:300 18000 9000:100
scene tables 80 0 t6000 11000
scene inherited 100 0 i=9000 10000 7000:20
scene shared 80 0 s=14000 s14000 s9000 8000
scene late 90 0 15000 l9000 2000
scene swapped 70 40 20000 12000
scene swapped-adjusted 60 40 9000:300 14000 6000
exit $failed
