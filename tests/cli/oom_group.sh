#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whom a replay kills, against whom the kernel killed: programs of several processes, recorded once, and run
# for real in a memory group of their own. Without swap; as root, with memory groups of version 1 and a
# kernel log. Usage: oom_group.sh FAULTLINE WORKLOADS. Exit: 0 all right, 1 not, 77 not possible here.
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
group=
trap '[ -z "$group" ] || rmdir "$group" 2>/dev/null; rm -rf "$dir"' EXIT

# The kernel's victims in order, "NAME BADNESS" each, from its log's lines of this group.
cat >kernel.py <<'P'
import re, sys
group, pages, lines, mine = sys.argv[1], int(sys.argv[2]), sys.stdin, False
for line in lines:
    if 'oom-kill:' in line:
        mine = group + ',' in line
    m = re.search(r'Killed process \d+ \((.*?)\).*anon-rss:(\d+)kB, file-rss:(\d+)kB, '
                  r'shmem-rss:(\d+)kB.*pgtables:(\d+)kB oom_score_adj:(-?\d+)', line)
    if m and mine:
        n = [int(x) for x in m.groups()[1:]]
        print(m[1], sum(n[:4]) // 4 + n[4] * (pages // 1000))
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
sys.exit(not (equal or near) or off > 1)
P

scene() { # scene NAME LIMIT_MIB PAGES[:ADJ]...
    local name=$1 bytes=$(($2 * 1048576))
    shift 2
    group=$site/faultline-test-oom-group-$$-$name
    mkdir "$group" && echo $bytes >"$group/memory.limit_in_bytes" || { failed=1; return; }
    # one CPU: the kernel's counters are then a few dozen pages off at most
    timeout -s KILL 30 sh -c "echo \$\$ >'$group/cgroup.procs'; exec taskset -c 0 \"\$@\"" sh "$siblings" 2 "$@"
    sleep 0.3
    dmesg | python3 kernel.py "${group##*/}" $((bytes / 4096)) >kernel.txt
    for _ in $(seq 20); do rmdir "$group" 2>/dev/null && break; sleep 0.1; done
    group=
    "$faultline" record -o t.flt -- "$siblings" 2 "$@" >/dev/null 2>&1
    "$faultline" replay t.flt --policy linux --scope memcg --memcg v1 --ram $bytes --swap 0 --no-tlb -o r.json || failed=1
    ok "$name: the kernel's victims, badness within 1 %" python3 compare.py "$name"
}
scene sizes 100 20000 12000
scene adjusted 100 20000 12000:400
scene alike 110 12000 12000 12000
scene grows 110 30000 5000 5000
scene nearly 80 14000 14000:1 3000
scene mixed 100 8000:300 18000 9000:100
exit $failed
