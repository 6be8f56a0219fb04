#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who is killed in a replay, and what would have saved it: each answer is tried, and one step less of it.
# Usage: oom_whatif.sh FAULTLINE WORKLOADS. Exit: 0 all right, 1 not, 77 this build has no exact tracer.
set -u
faultline=$(realpath "${1:?usage: oom_whatif.sh FAULTLINE WORKLOADS}")
workloads=$(realpath "${2:?usage: oom_whatif.sh FAULTLINE WORKLOADS}")
. "$(dirname "$0")/common.sh"
command -v jq >/dev/null || { echo "skipped: no jq here"; exit 77; }
cd "$dir" || exit 1

# A parent with two children, of 2400 and 1500 pages, which both have all of it to the end.
"$faultline" record -o two.flt -- "$workloads/siblings" 4 2400 1500 >/dev/null 2>err.txt ||
    { cat err.txt; echo "skipped: cannot record here"; exit 77; }
run() { # run FILE OPTION...
    local file=$1
    shift
    "$faultline" replay two.flt --no-tlb --no-thrash "$@" -o "$file"
}
killed() { jq -r '[.oom.kills[].pid | tostring] | join(" ")' "$1"; }
# The pids by size: what they are when all fits.
"$faultline" replay two.flt --no-tlb --ram 1G -o free.json
mapfile -t pids < <(jq -r '.oom.candidates | sort_by(-.rss_pages)[] | .pid' free.json)
ok "nobody is killed where there is room" test -z "$(killed free.json)"
parent=$(jq '[.oom.candidates[].pid] | min' free.json)
large=${pids[0]} small=${pids[1]}
ok "three processes" holds free.json '.oom.candidates | length == 3'
ok "their parts add up" holds free.json '[.oom.candidates[] |
    .rss_pages == .anon_pages + .file_pages + .shmem_pages and .virtual_pages >= .rss_pages] | all'

# ---- what saves it is the least that does -------------------------------------------
saves() { # saves NAME PID OPTION...: a question whose first victim is PID
    local name=$1 pid=$2 option value less
    shift 2
    run s.json "$@" --what-saves
    run plain.json "$@"
    same "$name: the larger is killed first" "$(jq '.oom.kills[0].pid' s.json)" "$pid"
    ok "$name: asking changes nothing else" test \
        "$(jq -c 'del(.oom.saved_by)' s.json)" = "$(jq -c . plain.json)"
    ok "$name: three answers, and their price" holds s.json \
        '.oom.saved_by | .ram_bytes > 0 and .swap_bytes > 0 and .oom_score_adj < 0 and .replays <= 60'
    for option in ram swap oom-score-adj; do
        case $option in
        ram) value=$(jq .oom.saved_by.ram_bytes s.json) less=$((value - 4096)) ;;
        swap) value=$(jq .oom.saved_by.swap_bytes s.json) less=$((value - 4096)) ;;
        *) value=$(jq .oom.saved_by.oom_score_adj s.json)
            less=$pid=$((value + 1)) value=$pid=$value ;;
        esac
        run with.json "$@" --$option "$value"
        run without.json "$@" --$option "$less"
        ok "$name: --$option $value saves it (killed: $(killed with.json))" test -z \
            "$(killed with.json | tr ' ' '\n' | grep -x "$pid")"
        ok "$name: --$option $less does not" test -n \
            "$(killed without.json | tr ' ' '\n' | grep -x "$pid")"
    done
}
# the last of an option counts, so that those of the question can be given again
saves "lru" "$large" --ram 12M --swap 1M
saves "clock, no swap" "$large" --ram 14M --swap 0 --policy clock
saves "linux" "$large" --ram 14M --swap 1M --policy linux
ok "it says so" grep -q 'would have lived with any one of' <("$faultline" replay two.flt --ram 12M \
    --swap 1M --no-tlb --no-thrash --what-saves)
run s.json --ram 1G --what-saves
ok "nobody to save" holds s.json '.oom.saved_by | .pid == null and .replays == 0'

# ---- what if it had another -------------------------------------------------------------
run w.json --ram 12M --swap 1M --oom-score-adj "$large=-1000"
same "an exempt one lives, another goes" "$(killed w.json | cut -d' ' -f1)" "$small"
run w.json --ram 12M --swap 1M --oom-score-adj "$small=900"
same "a worse one goes first" "$(killed w.json | cut -d' ' -f1)" "$small"
ok "the result says what was asked" holds w.json ".oom.asked == [{\"pid\": $small, \"oom_score_adj\": 900}]"
ok "and what it had" holds w.json '.oom.kills[0].oom_score_adj == 900'
"$faultline" replay two.flt --ram 1G --no-tlb --oom-score-adj "$parent=77,$small=5" -o w.json
ok "children inherit, unless they are named" holds w.json '[.oom.candidates[] | {(.pid | tostring): .oom_score_adj}] | add ==
    {"'"$parent"'": 77, "'"$large"'": 77, "'"$small"'": 5}'

# ---- what a program sets itself is recorded ---------------------------------------------
"$faultline" record -o own.flt -- "$workloads/siblings" 20 12000:350 9000 >/dev/null 2>err.txt
ok "an adjustment by a plain write" test "$("$faultline" dump own.flt | grep -c 'oom-adj.*oom-score-adj=350')" = 1
"$faultline" replay own.flt --ram 1G --no-tlb -o w.json
ok "is the process's own" holds w.json '[.oom.candidates[] | select(.comm == "sib0")][0].oom_score_adj == 350 and
    ([.oom.candidates[] | select(.comm == "sib1")][0].oom_score_adj == 0)'

# ---- refusals ------------------------------------------------------------------------------
for bad in x 5 5= =5 5=x 5=1001 5=-1001 5=- "5=1,"  "5=1,5=2" 5=1x; do
    exits 2 "$faultline" replay two.flt --ram 1G --oom-score-adj "$bad"
done
exits 2 "$faultline" replay two.flt --ram 1G --no-tlb --oom-score-adj 4194303=5
grep -q 'no process 4194303' err.txt || { echo "not ok: an unknown process is named"; failed=1; }

exit $failed
