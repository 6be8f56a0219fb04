#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# advise from outside: the answer is one that replay gives too, configuration parses, bad input is refused.
# Usage: advise.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
workloads=$(realpath "$2")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

fl() { "$faultline" "$@" </dev/null; }
status() { # status N ARG...: exit status N; with one line on stderr and nothing on stdout
    local want=$1 got lines
    shift
    fl advise "$@" >out 2>err
    got=$?
    mapfile -t lines <err
    ok "exit $want, one line: $* ($got, ${#lines[@]}: ${lines[0]-})" \
        test $got = "$want" -a ${#lines[@]} = 1 -a ! -s out
}
says() { ok "it says $1" grep -q -- "$1" err; }
json() { # json FILE FILTER...: every filter is true of FILE
    local file=$1 filter
    shift
    for filter; do ok "${file##*/}: $filter" holds "$file" "$filter"; done
}

# 1500 pages: 300 of them used all the time, the others at the beginning and the end, so that many can go
perl -e 'for my $round (0 .. 399) {
             print pack "Q<", $_ | 1 << 63 for 0 .. 299;
             if ($round % 399 == 0) { print pack "Q<", $_ | 1 << 63 for 300 .. 1499; }
         }' >refs
fl import --from pages refs -o p.flt 2>/dev/null
# the same with enough accesses to each page that a few swaps do not count: a real program
fl record -o real.flt -- "$workloads/thrash" 1024 2 >/dev/null 2>&1
fl check real.flt >out 2>&1
sound=$?
ok "a program was recorded: $(head -1 out)" test $sound = 0

# ---- what it answers ---------------------------------------------------------------
fl advise p.flt --slowdown 700% >text 2>err
ok "exit 0, silent on stderr" test $? = 0 -a ! -s err
ok "the verdict comes first" \
    grep -qE '^p\.flt (runs|needs).* within 700 % .*\(estimated\).* its peak is [0-9.]+ [KM]iB\.$' <(head -1 text)
ok "confidence and reasons" grep -qE '^confidence: (low|medium|high)$' text
ok "a table" grep -qE '^700 % slower at most +[0-9.]+ [KM]iB' text
fl advise p.flt --slowdown 700 --json >a.json 2>err
json a.json '.schema == "faultline.advise/1"' '.slowdown_budget_bp == 70000' \
    '.policy == "linux" and .swap_device == "zram"' '.trace.fidelity == "exact"' \
    '.confidence.level == "low"' '[.confidence.reasons[].text] | any(startswith("imported"))' \
    '[.options[].name] | index("peak") and index("advised") and index("asked") and index("no_swap")' \
    '.advice.ram_bytes < .peak_bytes and .advice.swap_bytes > 0' \
    '.advice.ram_max_bytes >= .peak_bytes' \
    '.advice.no_swap_ram_bytes >= .peak_bytes' \
    '.advice.slowdown_bp <= 80000' \
    '(.options[] | select(.name == "asked").ram_bytes) as $a | .advice.ram_bytes >= 1.1 * $a' \
    '[.options[] | .slowdown_bp <= 10000 + .budget_bp] | all' \
    '(.probes | length) <= 40' \
    'has("knee_ram_bytes") and has("cliff_ram_bytes") and has("quality")' \
    '[.probes[] | select(.killed) | .slowdown_bp] | unique | . == [] or . == [null]'

# the law, by the probes it shows: the answer holds the budget, one step less does not
law='(.options[] | select(.name == "asked")) as $a | .step_bytes as $step | .probes
    | map(select(.swap_bytes == null and .first_flush_ms == 1000)) as $p
    | ($p | map(select(.ram_bytes == $a.ram_bytes))[0].slowdown_bp <= 10000 + $a.budget_bp)
      and ($a.ram_bytes == $step
           or ($p | map(select(.ram_bytes == $a.ram_bytes - $step))[0]
               | .killed or .slowdown_bp > 10000 + $a.budget_bp))'
for ask in "p.flt 700" "p.flt 50" "p.flt 0" "real.flt 10" "real.flt 100"; do
    set -- $ask
    rm -f law.json
    fl advise "$1" --slowdown "$2" -o law.json
    json law.json "$law" '.options[] | select(.name == "asked").exact'
done

# replay says the same of the advice
advice=$(jq -r '"--ram \(.advice.ram_bytes) --swap \(.advice.swap_bytes)"' a.json)
# shellcheck disable=SC2086
fl replay p.flt --policy linux --no-tlb $advice -o r.json
ok "replay has the same counts" jq -en --slurpfile a a.json --slurpfile r r.json \
    '$a[0].options[] | select(.name == "advised") | .major == $r[0].faults.major and
        .minor == $r[0].faults.minor and .swap_out == $r[0].swap.pages_out and
        ($r[0].oom.kills | length) == 0' >/dev/null

# lru: nothing but data pages is charged, and its own answer is monotone
fl advise p.flt --slowdown 700 --policy lru -o lru.json
json lru.json '.policy == "lru" and .peak_bytes == 1500 * 4096' \
    '[.confidence.reasons[] | select(.at_most == "low").text] | any(contains("charges data pages only"))' \
    '[.options[].non_monotone] | any | not'

# more slowdown is never more memory; ssd needs no less than zram
size() { jq '.options[] | select(.name == "asked").ram_bytes' "$1"; }
for pct in 1 20 1000; do fl advise p.flt --slowdown $pct -o s$pct.json; done
ok "a larger budget needs no more" test "$(size s1.json)" -ge "$(size s20.json)" -a \
    "$(size s20.json)" -ge "$(size s1000.json)"
fl advise p.flt --slowdown 1000 --swap-device ssd -o ssd.json
ok "an ssd needs no less than zram" test "$(size ssd.json)" -ge "$(size s1000.json)"
json ssd.json '.swap_device == "ssd"'
fl advise p.flt --slowdown 700 --margin 50% -o m.json
json m.json '.margin.asked_bp == 5000' '.advice.ram_bytes >= 1.5 * .margin.without_margin_ram_bytes'
fl advise real.flt --native 5s -o n.json
json n.json '[.confidence.reasons[].text] | any(contains("own run time"))' \
    '.advice.ram_bytes < .peak_bytes' # 5 s: the same swaps count for little

# the same bytes, however many processors
fl advise p.flt --slowdown 700 --json >b.json
ok "twice the same bytes" cmp -s a.json b.json
if command -v taskset >/dev/null; then
    taskset -c "$(taskset -cp $$ | grep -oE '[0-9]+' | tail -1)" "$faultline" advise p.flt --slowdown 700 --json >b.json
    ok "on one processor the same bytes" cmp -s a.json b.json
fi

# ---- configuration --------------------------------------------------------------------
fl advise p.flt --slowdown 700 --format systemd -o drop.conf 2>err
ok "systemd: the advised numbers" grep -qx "MemoryHigh=$(jq .advice.ram_bytes a.json)" drop.conf
ok "systemd: swap" grep -qx "MemorySwapMax=$(jq .advice.swap_bytes a.json)" drop.conf
ok "systemd: the ceiling is above" grep -qx "MemoryMax=$(jq .advice.ram_max_bytes a.json)" drop.conf
if command -v systemd-analyze >/dev/null; then
    mkdir -p units/x.service.d
    printf '[Service]\nExecStart=/bin/true\n' >units/x.service
    cp drop.conf units/x.service.d/50-memory.conf
    SYSTEMD_UNIT_PATH=$dir/units: systemd-analyze verify --man=no "$dir/units/x.service" >verify 2>&1
    ok "systemd-analyze accepts it: $(grep memory.conf verify | head -1)" test "$(grep -c memory.conf verify)" = 0
fi
fl advise p.flt --slowdown 700 --format kubernetes >pod.yaml
if python3 -c 'import yaml' 2>/dev/null; then
    ok "kubernetes: YAML with request and limit" python3 -c '
import sys, yaml
r = yaml.safe_load(open("pod.yaml"))["resources"]
sys.exit(not (r["requests"]["memory"] == r["limits"]["memory"] and r["limits"]["memory"].endswith("Mi")))'
else
    ok "kubernetes: a limit" grep -qE '^    memory: [0-9]+Mi$' pod.yaml
fi
fl advise p.flt --slowdown 700 --format docker >run.sh
ok "docker: memory, and memory with swap" grep -qx "docker run --memory=$(jq .advice.ram_bytes a.json) \
--memory-swap=$(jq '.advice.ram_bytes + .advice.swap_bytes' a.json) IMAGE" run.sh
ok "docker: a shell reads it" bash -n run.sh
hostile=$'evil\nrm -rf x'
cp p.flt "$hostile.flt"
for format in systemd kubernetes docker text; do
    fl advise "$hostile.flt" --format $format >hostile
    ok "$format: a name cannot leave its line" test "$(grep -c '^rm' hostile)" = 0 -a -s hostile
done

# ---- a validation -------------------------------------------------------------------------
limit() { # limit MIB KILLS ERROR
    echo "{\"ram_bytes\": $(($1 << 20)), \"kernel\": {\"oom\": $2}, \"spread\": {}, \"policies\": {\"linux\":
        {\"minor\": 1, \"major\": 1, \"swap_in\": 1, \"swap_out\": 1, \"oom\": 0,
         \"error_pct\": {\"minor\": 0, \"major\": $3, \"swap_in\": 0, \"swap_out\": 0}}}}"
}
validation() { # validation SHA256 POINT...
    local sha=$1
    shift
    echo "{\"schema\": \"faultline.validate/1\", \"command\": \"x\", \"policy\": \"linux\", \"runs\": 2, \"swap\":
        {\"kind\": \"zram\"}, \"trace\": {\"sha256\": \"$sha\"}, \"points\": [$(
        IFS=,
        echo "$*"
    )]}"
}
sha=$(sha256sum p.flt | cut -d' ' -f1)
validation "$sha" "$(limit 2 '[0,0]' 30)" "$(limit 4 '[0,0]' -30)" >v.json
fl advise p.flt --slowdown 700 --validation v.json -o v1.json
json v1.json '.validation.error_bp == 3000' '.margin.with_error_ram_bytes >= .margin.without_margin_ram_bytes' \
    '[.confidence.reasons[].text] | any(contains("off by 30.0 %"))'
ok "an error makes it no smaller" test "$(jq .advice.ram_bytes v1.json)" -ge "$(jq .advice.ram_bytes a.json)"
validation "$sha" "$(limit 2 '[1,0]' null)" "$(limit 5 '[0,1]' 0)" "$(limit 6 '[0,0]' 0)" >k.json
fl advise p.flt --slowdown 700 --validation k.json -o k1.json
json k1.json '.advice.ram_bytes == 6 * 1048576' '.margin.raised_for_kernel' '.validation.killed_ram_bytes == 5 * 1048576'

# ---- refused ----------------------------------------------------------------------------------
status 2 p.flt --slowdown fast
status 2 p.flt --slowdown -5
status 2 p.flt --slowdown ''
status 2 p.flt --slowdown 64M
status 2 p.flt --slowdown max
status 2 p.flt --margin 99999999999
status 2 p.flt --margin 1001%
status 2 p.flt --format yaml
status 2 p.flt --json --format docker
status 2 p.flt --policy nosuch
status 2 p.flt -o p.flt
status 2
status 1 nosuch.flt
status 1 p.flt --costs nosuch.json
status 1 p.flt --validation nosuch.json
status 2 p.flt --validation r.json
says "faultline validate"
validation "$(echo | sha256sum | cut -d' ' -f1)" "$(limit 2 '[0]' 0)" >other.json
status 4 p.flt --validation other.json
echo '{"schema": "faultline.validate/1"}' >broken.json
status 1 p.flt --validation broken.json
head -c 100 /dev/urandom >noise.flt
status 1 noise.flt
head -c $(($(stat -c %s real.flt) - 40)) real.flt >cut.flt
status 1 cut.flt
fl advise cut.flt --partial --json >cut.json 2>err
ok "--partial: exit 0, a warning" test $? = 0 -a "$(grep -c 'only the good part' err)" = 1
json cut.json '[.quality[].flag] | index("partial")' '.confidence.level == "low"'
fl import --from pages /dev/null -o empty.flt 2>/dev/null && status 4 empty.flt
if fl record --mode events -o e.flt -- true >/dev/null 2>&1; then
    status 4 e.flt
    says "--mode exact"
else
    echo "not tried: a trace of events (it cannot be recorded here)"
fi
ok "help" grep -q 'slowdown PCT' <(fl help advise)
echo "took $SECONDS s"
exit $failed
