#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# table.sh OUT: the tables of docs/accuracy.md, in Markdown, from the WORKLOAD.SWAP.json (and .skipped)
# that run.sh left in OUT. Every number is taken from there.
# Exit: 0, 1 nothing there, 2 usage, 77 no jq.
set -u
out=${1:-}
[ -d "$out" ] || { echo "usage: table.sh OUT" >&2; exit 2; }
command -v jq >/dev/null || { echo "no jq here" >&2; exit 77; }
found=$(find "$out" -maxdepth 1 -name '*.json' -printf '%f\n' | sort)
[ -n "$found" ] || { echo "no results in $out" >&2; exit 1; }

# One line a point: workload, swap, and the point with the share of the peak that its limit is.
points=$(for file in $found; do
    name=${file%.json}
    jq -c --arg workload "${name%.*}" --arg swap "${name##*.}" '
        .native.peak_bytes as $peak | .policy as $policy | .points[] |
        {$workload, $swap, $policy, pct: (.ram_bytes * 100 / $peak | round)} + .' "$out/$file"
done)

definitions='
def counts: ["minor", "major", "swap_in"];
def number: tostring | gsub("(?<a>[0-9])(?=(?:[0-9]{3})+$)"; "\(.a),");
def percent: (. * 10 | round) as $tenths | ($tenths | fabs) as $n |
    (if $tenths < 0 then "−" else "+" end) + ($n / 10 | floor | tostring) + "." + ($n % 10 | tostring) + " %";
# the error of a count by a policy: percent; `inf` for something beside nothing
def gap($policy; $c): .policies[$policy] as $p |
    if $p == null or ($p.outcome.comparable | not) then null
    elif $p.error_pct[$c] != null then $p.error_pct[$c] else infinite end;
def gap_text: if . == null then "–" elif isinfinite then "not 0" else percent end;
def median: sort | if length == 0 then null else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end;
def kernel($c): .spread[$c] as $s | if $s == null then "timed out"
    elif $s.min == $s.max then $s.median | number
    else ($s.median | number) + " [" + ($s.min | number) + " .. " + ($s.max | number) + "]" end;
def model($c): .predicted[$c] as $n | gap(.policy; $c) as $gap | ($n | number) +
    if .in_range[$c] then " (in range)" elif $gap == null then "" else " (" + ($gap | gap_text) + ")" end;
def killed: .outcome as $o | "\($o.kernel_killed)/\($o.kernel_runs)";
def foretold: .outcome as $o | "\($o.predicted_killed)/\($o.predicted_runs)" + if $o.agrees then "" else " ✗" end;
'

# summary SWAP: median and worst error of each count and policy
summary() {
    echo "| count | policy | points | median error | worst | worst outside the kernel's range |"
    echo "|---|---|---|---|---|---|"
    jq -rs --arg swap "$1" "$definitions"'
        map(select(.swap == $swap and .outcome.kernel_runs > 0)) as $points |
        counts[] as $c | ($points[0].policy, "lru", "clock") as $policy |
        [$points[] | {gap: gap($policy; $c), in: .policies[$policy].in_range[$c], workload, pct} | select(.gap != null) |
            .gap |= fabs] as $all |
        def worst: if length == 0 then "–" else max_by(.gap) | "\(.gap | if isinfinite then "not 0" else percent | ltrimstr("+") end) (\(.workload), \(.pct) %)" end;
        "| \($c) | \($policy) | \($all | length) | \($all | map(.gap) | median | if . == null then "–" elif isinfinite then "not 0" else percent | ltrimstr("+") end) | \($all | worst) | \($all | map(select(.in | not)) | worst) |"
    ' <<<"$points"
    echo
    jq -rs --arg swap "$1" '
        map(select(.swap == $swap and .outcome.kernel_runs > 0)) | . as $points |
        map(select(.outcome.agrees | not)) as $differ |
        map(select(.outcome.kernel_killed > 0 and .outcome.kernel_killed < .outcome.kernel_runs)) as $chance |
        "OOM kills: foretold as the kernel did at \(length - ($differ | length)) of \(length) limits" +
        (if ($differ | length) > 0 then "; not at " + ($differ | map("\(.workload) \(.pct) % (kernel \(.outcome.kernel_killed) of \(.outcome.kernel_runs) runs, model \(.outcome.predicted_killed) of \(.outcome.predicted_runs))") | join(", ")) else "" end) +
        ". At \($chance | length) the kernel killed in some runs only."' <<<"$points"
    echo
    jq -rs --arg swap "$1" "$definitions"'
        def at($n): sort | .[((length - 1) * $n | round)] | percent | ltrimstr("+");
        [.[] | select(.swap == $swap and .kernel.major != null and .predicted_runs.major != null) |
            select((.predicted_runs.major | length) == (.kernel.major | length)) |
            [.kernel.major, .kernel.oom, .predicted_runs.major, .predicted_runs.oom] | transpose[] |
            {major: .[0], killed: (.[1] > 0), said: .[2], foretold: (.[3] > 0)}] as $runs |
        [$runs[] | select(.killed == .foretold)] as $same |
        [$same[] | select(.killed | not) | if .major > 0 then (.said - .major) * 100 / .major | fabs else empty end] as $errors |
        "Run by run, each beside its own replay: \($same | length) of \($runs | length) ended as foretold, killed or not" +
        if ($errors | length) > 0 then
            "; majors of the \($errors | length) that survived in both are off by \($errors | at(0.5)) (median), \($errors | at(0.9)) (nine of ten), \($errors | at(1)) (worst)."
        else "." end' <<<"$points"
}

# rows SWAP: every workload and limit
rows() {
    local policy
    policy=$(jq -rs --arg swap "$1" 'map(select(.swap == $swap))[0].policy' <<<"$points")
    echo "| workload | limit | majors: kernel | $policy | lru | clock | swap-ins: kernel | $policy | lru | clock | minors: kernel | $policy | killed: kernel | $policy |"
    echo "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"
    jq -rs --arg swap "$1" "$definitions"'
        map(select(.swap == $swap)) | sort_by(.workload, -.pct)[] |
        "| \(.workload) | \(.pct) % | \(kernel("major")) | \(model("major")) | \(gap("lru"; "major") | gap_text) | \(gap("clock"; "major") | gap_text) | \(kernel("swap_in")) | \(model("swap_in")) | \(gap("lru"; "swap_in") | gap_text) | \(gap("clock"; "swap_in") | gap_text) | \(kernel("minor")) | \(model("minor")) | \(killed) | \(foretold) |"
    ' <<<"$points"
}

for swap in $(jq -rs 'map(.swap) | unique[]' <<<"$points"); do
    echo "### Swap: $swap"
    echo
    summary "$swap"
    echo
    rows "$swap"
    echo
done
for skipped in "$out"/*.skipped; do
    [ -e "$skipped" ] && echo "- $(basename "$skipped" .skipped): $(cat "$skipped")"
done
for file in $found; do
    jq -r --arg name "${file%.json}" '.quality | map(.flag) | if length > 0 then "- \($name): \(join(", "))" else empty end' "$out/$file"
done
exit 0
