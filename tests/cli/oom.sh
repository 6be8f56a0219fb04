#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whom the kernel would kill on this machine: every score against the kernel's own; other sizes; refusals.
# Usage: oom.sh FAULTLINE WORKLOADS. Exit: 0 all right, 1 not, 77 a tool is missing.
set -u
faultline=$(realpath "${1:?usage: oom.sh FAULTLINE WORKLOADS}")
. "$(dirname "$0")/common.sh"
for tool in jq python3; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
cd "$dir" || exit 1
children=()
trap 'kill "${children[@]}" 2>/dev/null; rm -rf "$dir"' EXIT

# A child with so many MiB of anonymous memory and such an adjustment, ready when it has both.
child() { # child NAME MIB ADJ
    # comm is what is exec'd: python's own name would be everybody's
    python3 -c '
import sys, time
open("/proc/self/comm", "w").write(sys.argv[1])
open("/proc/self/oom_score_adj", "w").write(sys.argv[3])
m = bytearray(int(sys.argv[2]) << 20)
for i in range(0, len(m), 4096):
    m[i] = 1
open(sys.argv[1] + ".ready", "w").close()
time.sleep(120)' "$1" "$2" "$3" &
    children+=($!)
    for _ in $(seq 200); do
        [ -e "$1.ready" ] && return
        sleep 0.05
    done
    echo "not ok: $1 does not start"
    exit 1
}
child largest 96 500
child smaller 48 500

# ---- the kernel's own scores ---------------------------------------------------------
exits 0 "$faultline" oom --json
cp out.txt all.json
ok "every score agrees with /proc/PID/oom_score to 1" holds all.json \
    '.checked | .compared > 20 and .disagree == 0 and .compared == .processes'
# The same by another program: the formula again, from the parts told, against the kernel's own file.
ok "and so they do when worked out elsewhere" python3 - <<'P'
import json
r = json.load(open('all.json'))
total = (r['machine']['ram_bytes'] + r['machine']['swap_bytes']) // 4096
checked = 0
for c in r['candidates']:
    if c['protected']:
        assert c['kernel_score'] == 0, c
        continue
    pages = sum(c[k] for k in ('anon_bytes', 'file_bytes', 'shmem_bytes', 'swap_bytes',
                               'page_table_bytes')) // 4096
    badness = pages + c['oom_score_adj'] * (total // 1000)
    assert badness == c['badness'], c
    score = int((1000 + int(badness * 1000 / total)) * 2 / 3)
    assert abs(score - c['kernel_score']) <= 1, (score, c)
    checked += 1
assert checked >= 3
P
ok "init and the kernel's threads are protected" holds all.json \
    'any(.candidates[]; .pid == 1 and .reason == "init")
     or (.machine.sees_all_processes | not)'
ok "worst first" holds all.json '[.candidates[] | select(.protected | not) | .badness] |
    . == (sort | reverse)'
ok "the one with most memory and adjustment is before the other" holds all.json '
    [.candidates[].comm] | index("largest") < index("smaller")'
pid=${children[0]}
ok "it has what it was given" holds all.json ".candidates[] | select(.pid == $pid) |
    .comm == \"largest\" and .oom_score_adj == 500 and .anon_bytes >= (96 * 1048576)"

# ---- text --------------------------------------------------------------------------------
exits 0 "$faultline" oom -n 3
ok "says who is first, and why" grep -qE 'would be killed first, with a badness of' out.txt
ok "three rows and no more" test "$(grep -cE '^ +[0-9]+ +[0-9]+ +-?[0-9]+ +-?[0-9]+ ' out.txt)" = 3
ok "and what the daemons would do" grep -q 'earlyoom(1)' out.txt
ok "of both" grep -q 'systemd-oomd.service(8)' out.txt
exits 0 "$faultline" oom -p "$pid" --json
ok "explains the one asked for" holds out.txt ".explained | .pid == $pid and (.sentence | test(\"largest .*MiB anonymous memory.*oom_score_adj of 500\"))"
ok "nothing on stderr" test ! -s err.txt

# ---- other sizes -----------------------------------------------------------------------------
exits 0 "$faultline" oom --at 1G,0 --json
ok "the adjustment is a share of that size" holds out.txt \
    ".asked.total_pages == 262144 and (.candidates[] | select(.pid == $pid) | .adj_pages == 500 * 262)"
ok "daemons go by the machine as it is" holds out.txt 'has("earlyoom") | not'
used=$(jq .pressure.in_use_bytes all.json)
exits 0 "$faultline" oom --at $((used * 4)),0 --json
ok "four times what is in use fits" holds out.txt '.pressure.verdict == "fits"'
exits 0 "$faultline" oom --at $((used / 4)),0 --json
ok "a quarter does not" holds out.txt '.pressure.verdict == "kills" and .pressure.short_bytes > 0'
ram=$(jq .machine.ram_bytes all.json) swap=$(jq .machine.swap_bytes all.json)
exits 0 "$faultline" oom --at $((ram / 2)) --json
ok "swap may be left out" holds out.txt ".asked.swap_bytes == $swap and .asked.ram_bytes == $((ram / 2))"

# ---- a memory group ----------------------------------------------------------------------------
site=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts)
group=$site/faultline-test-oom-$$
if [ -n "$site" ] && mkdir "$group" 2>/dev/null; then
    echo 268435456 >"$group/memory.limit_in_bytes"
    for c in "${children[@]}"; do echo "$c" >"$group/cgroup.procs"; done
    exits 0 "$faultline" oom --cgroup "$group" --json
    ok "only its processes, and its limit" holds out.txt \
        '.group.limit_bytes == 268435456 and .checked.processes == 2 and .explained.pid == '"$pid"
    ok "its own total" holds out.txt '.asked.total_pages >= 65536 and
        (.candidates[0].adj_pages == 500 * (.asked.total_pages / 1000 | floor))'
    exits 0 "$faultline" oom --cgroup "/faultline-test-oom-$$"
    ok "by its path too" grep -q '^The group has 256 MiB of RAM' out.txt
    exits 2 "$faultline" oom --cgroup "$group" -p 1
    for c in "${children[@]}"; do echo "$c" >"$site/cgroup.procs"; done
    rmdir "$group"
else
    echo "skipped: no memory group can be made here"
fi

# ---- without privilege -----------------------------------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && cp "$faultline" ./faultline && chmod 755 . faultline; then
    exits 0 setpriv --reuid=65534 --regid=65534 --clear-groups ./faultline oom --json
    ok "as nobody, every score agrees too" holds out.txt \
        '.checked | .compared > 20 and .disagree == 0'
else
    echo "skipped: no setpriv, or not root"
fi

# ---- refusals -----------------------------------------------------------------------------------------
exits 2 "$faultline" oom --at lots
exits 2 "$faultline" oom --at 50%
exits 2 "$faultline" oom --at 1G,max
exits 2 "$faultline" oom --at 100
exits 2 "$faultline" oom -p 4194303
exits 2 "$faultline" oom -p 99999999
exits 2 "$faultline" oom --cgroup /nonexistent
exits 2 "$faultline" oom --avoid '('
exits 2 "$faultline" oom here
exits 1 "$faultline" oom -o /nonexistent/r.json

exit $failed
