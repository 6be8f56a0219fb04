#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Thrashing, from outside: programs whose truth is known by construction (tests/workload/truth.c,
# truth_more.c) are recorded, and what a replay says of each is compared with it.
# Usage: thrash.sh FAULTLINE WORKLOADS [PROGRAM...]: all, or the rows of some programs.
# Exit: 0 all right, 1 not, 77 this build has no exact tracer.
set -u
faultline=${1:?usage: thrash.sh FAULTLINE WORKLOADS [PROGRAM...]}
workloads=${2:?usage: thrash.sh FAULTLINE WORKLOADS [PROGRAM...]}
shift 2
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

# ---- the programs -------------------------------------------------------------
# A name, and the command; what it does and why that is known is at the top of its source.
head -c 12M /dev/zero >table.bin
programs="
cycle    truth steady 2000 20 20
calm     truth steady 1000 12 400
random   truth steady 2000 20 20 1
stream   truth stream 6000 600 1 20
mapped   truth stream 3000 600 1 20 table.bin
again    truth stream 6000 600 2 20
phases   truth phases 1500 1000 50 20
leak     truth leak 1000 2000 60 20
fight    truth fight 1000 1000 30 40 20
unequal  truth fight 1500 30 0 40 20
third    truth third 200 3000 20 20
third2   truth third 100 1000 8 300
grow     truth_more grow 50 2000 1000 20
turns    truth_more turns 1000 1000 20 1 20
long     truth_more turns 1000 1000 2 300 20
sweep    truth_more sweep 300 2000 5 100000 20
zipf     truth_more skewed 2048 100000 1 20
tail     truth_more skewed 2048 60000 3 100
reread   truth_more reread table.bin 1500 300 20 20
pool     truth_more pool 700 3 50 20
sparse   truth_more sparse 1000 8 60 1
twice    truth_more twice 200 1500 20 20
shrink   truth_more shrink 2000 40 20
init     truth_more init 4000 300 100 20
brief    truth_more brief 50 600 200000 12 20
list     truth_more list 38400 15 2
window   truth_more window 20000 1000 20
slow     truth steady 300 12 4000
loop     truth steady 1000 60 20
"

# ---- the examination ----------------------------------------------------------
# program | pages of RAM | policies | truth | major faults | culprit has | but not | pages that end it | verdict has
#
# RAM: frames, and for linux and mglru the limit that their kernel memory comes out of.
# truth: none; intervals between markers, 1-2,4-5; x / y: either will do; sweeps: none, or short ones; any.
#   LRU and CLOCK miss every touch of a loop over more than fits, so they agree on these.
# major faults: least..most, under the first of the policies: theory, and some for the start and end of a program.
# culprit: words; fn:NAME counts only where the trace has functions.
table="
# Steady: a set in order. Fits; 90 %, 50 %, 25 % of it: every touch after the first is missed.
cycle  | 2064 | lru clock opt | none | 0..100
cycle  | 2500 | linux mglru | none | 0..20
cycle  | 1800 | lru clock linux mglru | 1-2 | 40000..40100 | truth anonymous fn:steady_cycle | | 2000
cycle  | 1000 | lru clock linux mglru | 1-2 | 40000..40100 | truth anonymous fn:steady_cycle | | 2000
cycle  |  500 | lru clock linux | 1-2 | 40000..40100 | truth anonymous fn:steady_cycle | | 2000
cycle  | 1800 | fifo random | 1-2 | 40000..40100 | truth anonymous fn:steady_cycle
# The best there is begins to miss half a round later, and then misses what is absent: half of each round.
loop   |  500 | opt | 1-2 | 28000..32000 | truth anonymous fn:steady_cycle
# The same with more work a page: 230, and 23, misses in a million accesses.
calm   | 1064 | lru clock | none | 0..100
calm   |  500 | lru clock linux | 1-2 | 12000..12100 | truth anonymous fn:steady_cycle | | 1000
slow   |  340 | lru clock | none | 0..100
slow   |  150 | lru clock | 1-2 | 3600..3700 | truth anonymous fn:steady_cycle | | 300
# At random: the share that is absent is missed, from the first round on.
random | 2064 | lru clock | none | 0..100
random | 1800 | lru clock | 1-2 |  3400..4600  | truth anonymous fn:steady_random
random | 1600 | lru clock linux | 1-2 |  7400..8600  | truth anonymous fn:steady_random
# (Not under linux: the model kills the program there, which the kernel does not.)
random | 1000 | lru clock | 1-2 | 19000..21000 | truth anonymous fn:steady_random
random |  500 | lru clock | 1-2 | 29000..31000 | truth anonymous fn:steady_random
# Streaming: thousands of evictions, nothing comes back. Too little for the hot set: that thrashes.
stream |  900 | lru clock | none | 0..100
stream | 2000 | lru clock linux | none | 0..100
stream | 5000 | lru clock | none | 0..100
stream | 6700 | lru clock | none | 0..100
stream |  400 | lru clock | 1-3 | 36000..36300 | truth anonymous fn:hot_work | fn:stream_write | 750
mapped |  900 | lru clock | none | 0..100
mapped | 2000 | lru clock linux | none | 0..100
# A second pass over far more than RAM loads each page again, once: a second read, no working set.
again  |  900 | lru clock | none | 6000..6100
again  | 3000 | lru clock | none | 6000..6100
# Phases: room for either set; for both; for b only; for none.
phases | 2000 | lru clock linux | none | 500..1560
phases | 2600 | lru clock | none | 0..100
phases | 3000 | linux | none | 0..20
phases | 1200 | lru clock linux | 1-2,4-5 | 149500..150100 | truth anonymous fn:phase_a | fn:phase_b | 1500
phases |  800 | lru clock | 1-2,3-5 / 1-5 / 1-2,3-4,4-5 | 199500..200100 | truth anonymous
# A leak: what goes out was lost anyway; then too little for the hot set.
leak   | 1300 | lru clock linux | none | 0..100 | | | | gr[eo]w|leak
leak   | 2000 | lru clock linux | none | 0..100 | | | | gr[eo]w|leak
leak   | 3200 | lru clock | none | 0..100
leak   |  700 | lru clock linux | 1-2 | 60000..60100 | truth anonymous fn:hot_work | fn:leak_one | 1000
# Two processes: room for either; for both; one that is small, beside one that is too large by itself.
fight  | 1300 | lru clock linux | 3-4 | 78000..81600 | left right anonymous fn:left_turn fn:right_turn | | 2000
fight  | 2100 | lru clock | none | 0..100
fight  | 2600 | linux | none | 0..20
fight  |  700 | lru clock | 1-5 | 138000..141600 | left anonymous fn:left_turn
unequal | 1000 | lru clock linux | 1-4 | 60000..61300 | left fn:left_turn | right fn:right_turn
unequal | 1700 | lru clock | none | 0..100
# The middle third, without the first touches of its set; more than that; less than either.
third  | 1000 | lru clock linux mglru | 3-4 | 57000..57400 | truth anonymous fn:work_big | fn:work_small | 3000
third  | 2700 | lru clock linux mglru | 3-4 | 57000..57400 | truth anonymous fn:work_big | fn:work_small | 3000
third  | 3300 | lru clock | none | 0..100
third  | 3600 | linux | none | 0..20
third  |  100 | lru clock | 1-2,3-5 / 1-5 / 1-2,3-4,4-5 | 176900..177400 | truth anonymous
third2 |  500 | lru clock linux | 3-4 | 7000..7300 | truth anonymous fn:work_big | fn:work_small | 1000
third2 | 1300 | lru clock | none | 0..100
# A set that grows past RAM. One pass over all of it that is missed would be no thrashing.
grow   | 1040 | lru clock | 1-2 | 28500..30300 | truth_more anonymous fn:grow_pass | | 1900
grow   | 2064 | lru clock | none | 0..100
# Two sets in turns: short ones are one large loop; long ones load their set once a turn.
turns  | 1300 | lru clock | 1-2 | 39000..40100 | truth_more anonymous fn:turn_[ab] | | 2000
turns  | 2064 | lru clock | none | 0..100
long   | 1300 | lru clock | none | 700..4100
# A collector's sweeps: what is missed is in them; all the rest is calm.
sweep  |  600 | lru clock | sweeps | 9000..11600
sweep  | 2400 | lru clock | none | 0..100
# Skewed: Zipf's law at a quarter of the pages misses much; a thin tail is missed now and then.
zipf   |  400 | lru clock | 1-2 | 10000..35000 | truth_more anonymous fn:skewed_work
zipf   | 2120 | lru clock | none | 0..100
tail   | 1500 | lru clock linux | none | 0..300
# A mapped file larger than its room, a heap that fits beside it.
reread | 1000 | lru clock | 1-2 | 30000..30100 | truth_more table.bin fn:read_page | fn:use_heap
reread | 1900 | lru clock | none | 0..100
# Workers with copies of their own.
pool   | 1500 | lru clock | 2-3 | 104000..108000 | worker fn:pool_work
pool   | 2900 | lru clock | none | 0..100
# A word in every eighth page.
sparse |  600 | lru clock | 1-2 | 60000..60300 | truth_more anonymous fn:sparse_pass | | 1000
sparse | 1064 | lru clock | none | 0..100
# Two episodes; one that ends because memory was given back; a first touch that never comes back.
twice  |  600 | lru clock linux | 2-3,4-5 | 60000..60600 | truth_more anonymous fn:sweep_heap | fn:hot_work | 1500
twice  | 1900 | lru clock | none | 0..100
shrink | 1200 | lru clock | 1-2 | 80000..81100 | truth_more anonymous fn:sweep_heap | | 2000
init   |  400 | lru clock | none | 0..100
init   | 2000 | lru clock linux | none | 0..100
# A short episode in a long calm run.
brief  |  300 | lru clock | 1-2 | 7200..7400 | truth_more anonymous fn:sweep_heap | fn:hot_work | 600
brief  |  720 | lru clock | none | 0..100
# Small objects in the heap.
list   |  400 | lru clock | 1-2 | 9000..9150 | truth_more heap fn:list_walk | fn:list_build | 600
list   |  700 | lru clock | none | 0..100
# A queue: every page comes back once only, but all the time, and 10 % more RAM would have held them.
window | 1800 | lru | 1-2 | 18100..18350 | truth_more anonymous fn:window_pop | | 2000
window | 2100 | lru clock | none | 0..100
"

# ---- the truth, and the verdict on what is said -----------------------------------

# markers TRACE: {"NUMBER": POSITION, ...} in accesses
markers() {
    "$faultline" dump "$1" | awk '
        $2 == "user" { n += substr($6, 3) + substr($7, 3) + substr($8, 3); next }
        $3 == "advise" && $5 ~ /^start=0x5eed00/ {
            hex = substr($5, 14, length($5) - 16); v = 0
            for (i = 1; i <= length(hex); i++)
                v = v * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
            printf "%s\"%d\": %.0f", some++ ? ", " : "{", v, n
        }
        END { print some ? "}" : "{}" }'
}

# Input: a replay's result. Output: what was wanted, what there is, RAM to try (0: none), and what is wrong.
cat >judge.jq <<'J'
def wrong(holds; what): if holds then empty else what end;
def short: if length == 0 then "none"
    else map("\(.[0] / 10000 | floor / 100)-\(.[1] / 10000 | floor / 100)") | join(", ") + " M" end;
def off(a; b): a - b | fabs;
def length_of: .[1] - .[0];
# Those with less than $least between them are one.
def joined($least): reduce .[] as $i ([]; if length > 0 and $i[0] - .[-1][1] < $least
    then .[:-1] + [[.[-1][0], $i[1]]] else . + [$i] end);
# Do they begin and end where those of $want do, to 2 % of the length of each?
def are($want): joined(0.02 * ([$want[] | length_of] | min)) as $got
    | ($got | length) == ($want | length) and all(range($want | length); . as $k
        | ($want[$k] | length_of * 0.02) as $slack
        | off($got[$k][0]; $want[$k][0]) <= $slack and off($got[$k][1]; $want[$k][1]) <= $slack);
def words: split(" ") | map(select(. != ""));
# Is the word in the text? fn:NAME is a function, $unknown where the trace has none.
def in($text; $functions; $unknown): (. | startswith("fn:")) as $fn
    | if $fn and ($functions | not) then $unknown
      else ltrimstr("fn:") as $w | $text | test("(^|[^A-Za-z0-9_])" + $w + "($|[^A-Za-z0-9_])") end;
# What holds in any answer.
def sane($accesses): ([0] + [.intervals[] | .from_access, .to_access] + [$accesses] | . == sort)
    and (.verdict | test("[a-z].*[.]$") and (test("\n") | not))
    and all(.intervals[]; .from_access < .to_access and .refaults > 0 and .refault_rate <= .fault_rate
        and .stall_share_bp >= 0 and .stall_share_bp <= 10000 and (.culprits | length > 0)
        and ([.culprits[].share_bp] | . == (sort | reverse) and add <= 10000)
        and ([.culprits[].refaults] | add) <= .refaults);

$marks[0] as $m | has("by_function") as $functions
| (.thrash // {verdict: "", intervals: []}) as $t | [$t.intervals[] | [.from_access, .to_access]] as $got
| ([$t.intervals[].culprit] | join("; ")) as $culprit
| ([$t.intervals[].ram_to_end_bytes | numbers] | max // 0) as $ram
| ($t.verdict | test("thrash"; "i") and (test("\\b(no|not|never|without|nothing)\\b[^.]*thrash"; "i") | not)) as $says
| (if ["none", "sweeps", "any"] | index($truth) then []
   else $truth | split("/") | map(split(",") | map(split("-") | map(gsub(" "; "") | $m[.]))) end) as $want
| (if $want == [] then $truth else $want[0] | short end), ($got | short), $ram,
  wrong(has("thrash"); "the result has no thrash"),
  (.oom.kills[]? | wrong(false; "with unlimited swap \(.comm) is killed at \(.at_access / 10000 | floor / 100) M")),
  (.faults.major as $n | select($majors != "") | $majors | split("..") | map(tonumber)
      | wrong($n >= .[0] and $n <= .[1]; "\($n) major faults, not \($majors)")),
  (select(has("thrash")) | (.trace.accesses as $n | $t | wrong(sane($n); "malformed: \(tojson)")),
    wrong(all($want[][][]; . != null); "the trace lacks a marker of \($truth)"),
    wrong($truth != "none" or $got == []; "thrashing where there is none"),
    # Sweeps are 4 % of it: whatever they are called, the calm between is not.
    wrong($truth != "sweeps" or ([0, ($got[] | length_of)] | add) < 0.06 * ($m["2"] - $m["1"]); "the calm is none"),
    wrong($want == [] or any($want[]; . as $w | $got | are($w)); "not where it should be"),
    wrong($says == ($got != []); "\($got | length) intervals, but the verdict is: \($t.verdict)"),
    wrong($t.verdict | test($verdict; "i"); "the verdict has no \($verdict): \($t.verdict)"),
    (select($got != [] and $want != [])
        | ($has | words[] | wrong(in($culprit; $functions; true); "the culprit is not \(.): \($culprit)")),
          ($not | words[] | wrong(in($culprit; $functions; false) | not; "\(.) is innocent: \($culprit)")),
          (select($pages != "") | ($pages | tonumber) as $p | [$t.intervals[].ram_to_end_bytes / 4096]
              | wrong(all(.[]; . >= $p and . <= $p * 1.05 + 64); "\($p) pages would end it, not \(tojson)")),
          wrong($ram > 0; "it does not say which RAM would end it")))
J

# examine TRACE PAGES POLICY TRUTH MAJORS HAS NOT END VERDICT
examine() {
    local ram lines problems
    case $3 in
    linux | mglru) ram=(--ram $(($2 * 4))K) ;;
    *) ram=(--frames "$2") ;;
    esac
    "$faultline" replay "$1.flt" --no-tlb "${ram[@]}" --policy "$3" -o "$1.json" >"$1.txt" 2>&1 &&
        jq -r --slurpfile marks "$1.marks" --arg truth "$4" --arg majors "$5" --arg has "$6" --arg not "$7" \
            --arg pages "$8" --arg verdict "$9" -f judge.jq "$1.json" >"$1.said" 2>"$1.txt" ||
        { echo "NOT OK $1 $3 $2: $(cat "$1.txt")"; return; }
    mapfile -t lines <"$1.said"
    problems=("${lines[@]:3}")
    if [ "$3" = lru ] && [ "${lines[2]}" -gt 0 ]; then
        "$faultline" replay "$1.flt" --no-tlb --policy lru --ram "${lines[2]}" -o "$1.json" >"$1.txt" 2>&1 &&
            jq -e '.thrash.intervals == []' "$1.json" >"$1.txt" 2>&1 ||
            problems+=("it says that ${lines[2]} bytes end it, and they do not")
    fi
    printf '%-6s %-8s %-5s %5d pages: want %-22s got %s\n' "$([ ${#problems[@]} = 0 ] && echo ok || echo NOT OK)" \
        "$1" "$3" "$2" "${lines[0]}" "${lines[1]}"
    [ ${#problems[@]} = 0 ] || printf '         %s\n' "${problems[@]}"
}

trim() { sed 's/^ *//; s/ *$//' <<<"$1"; }

# examine_program NAME COMMAND...: its rows of the table
examine_program() {
    local name=$1 program pages policies policy majors
    shift
    "$faultline" record -q -o "$name.flt" -- "$workloads/$1" "${@:2}" >"$name.txt" 2>&1 && markers "$name.flt" >"$name.marks" ||
        { echo "NOT OK $name: not recorded: $(cat "$name.txt")"; return; }
    while IFS='|' read -r program pages policies truth majors has not end verdict; do
        [ "$(trim "$program")" = "$name" ] || continue
        majors=$(trim "$majors")
        for policy in $policies; do
            examine "$name" "$(trim "$pages")" "$policy" "$(trim "$truth")" "$majors" \
                "$has" "$not" "$(trim "$end")" "$(trim "$verdict")"
            majors=
            [ -z "$quick" ] || break
        done
    done <<<"$table"
}

# ---- all of them ----------------------------------------------------------------

if ! "$faultline" record -q -o probe.flt -- true 2>why; then
    cat why
    grep -q 'no exact tracer' why && exit 77
    exit 1
fi
quick= # with sanitizers the first policy of a row has to do, and some of the programs
grep -q __asan_init "$faultline" && quick="cycle random stream phases leak fight unequal third reread pool twice list"
while read -r name command; do
    [ -n "$name" ] && { [ $# = 0 ] || [[ " $* " = *" $name "* ]]; } || continue
    [ -z "$quick" ] || [[ " $quick " = *" $name "* ]] || continue
    names="${names:-} $name"
    # shellcheck disable=SC2086
    examine_program "$name" $command >"$name.out" &
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
done <<<"$programs"
wait
for name in ${names:-}; do cat "$name.out"; done | tee all.out
if [ -f cycle.flt ]; then # the same bytes twice, and people get the verdict, too
    loop=("$faultline" replay cycle.flt --no-tlb --frames 1800)
    "${loop[@]}" --json >cycle.json && "${loop[@]}" --json | cmp - cycle.json &&
        "${loop[@]}" | tr -s ' \n' ' ' | grep -qF -- "$(jq -r .thrash.verdict cycle.json)" &&
        echo "ok     cycle: twice, and as text" || echo "NOT OK cycle: twice, and as text"
fi | tee -a all.out
right=$(grep -c '^ok' all.out) wrong=$(grep -c '^NOT OK' all.out)
echo "$right right, $wrong wrong"
[ "$right" -gt 0 ] && [ "$wrong" -eq 0 ]
