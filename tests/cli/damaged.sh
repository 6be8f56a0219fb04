#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Bad input and bad output places, for every command. Usage: damaged.sh FAULTLINE WORKLOAD_DIR
# Refusing means: exit status 1, one line on stderr, nothing on stdout, no file left behind.
# Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
for tool in perl jq; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
mkdir "$dir/o" "$dir/bad" "$dir/folder"
shopt -s nullglob dotglob

# try ARG...: runs faultline, output into $dir/out and $dir/err, status into $status.
# `why` is empty when it refused as it should, else what is wrong.
try() {
    "$faultline" "$@" >"$dir/out" 2>"$dir/err" </dev/null
    status=$?
    local lines left=("$dir"/o/*)
    mapfile -t lines <"$dir/err"
    why=
    [[ $status = 1 ]] || why="exit status $status"
    [[ ${#lines[@]} = 1 && ${lines[0]} = "faultline $1: "* ]] || why+=" ${#lines[@]} lines on stderr"
    [[ ! -s $dir/out ]] || why+=" something on stdout"
    [[ ${#left[@]} = 0 ]] || { why+=" left ${left[*]}"; rm -rf "$dir"/o/*; }
}
try_command() { # try_command NAME FILE
    case $1 in
    info | dump | check) try "$1" "$2" ;;
    replay) try replay "$2" --frames 2 -o "$dir/o/r.json" ;;
    sweep) try sweep "$2" --ram 8K,50% --policy lru,clock -o "$dir/o/s.json" ;;
    report) try report "$2" -o "$dir/o/report" ;;
    plot) try plot faults "$2" -o "$dir/o/p.svg" ;;
    esac
}

help=$("$faultline" help)
commands=()
for c in info dump check replay sweep report plot; do
    if grep -q "^  $c " <<<"$help"; then commands+=("$c"); fi
done
has() { [[ " ${commands[*]} " = *" $1 "* ]]; }
echo "commands: ${commands[*]}"

# ---- a small trace ------------------------------------------------------------
perl -e 'print pack("Q<*", map { ($_ * 7 % 5) | ($_ % 3 ? 0 : 1 << 63) } 0 .. 39)' >"$dir/refs"
small=$dir/small.flt
"$faultline" import --from pages "$dir/refs" -o "$small" 2>"$dir/err" || { cat "$dir/err"; exit 1; }
bytes=$(stat -c %s "$small")
reads() { "$faultline" "$@" >"$dir/out"; }
for c in info dump check; do ok "$c takes the whole trace" reads $c "$small"; done
"$faultline" replay "$small" --frames 3 -o "$dir/replay.json" || failed=1
"$faultline" sweep "$small" --ram 4K..20K/5 --policy lru,clock -o "$dir/sweep.json" || failed=1

# ---- things that are no trace ---------------------------------------------------
: >"$dir/bad/empty"
echo "this is a text file, not a trace" >"$dir/bad/text"
head -c 4096 /dev/zero >"$dir/bad/zeros"
cp "$small" "$dir/bad/version"
printf '\002' | dd of="$dir/bad/version" bs=1 seek=8 conv=notrunc status=none
cat "$small" <(echo more) >"$dir/bad/trailing"
cat "$small" "$small" >"$dir/bad/twice"
tail -c +2 "$small" >"$dir/bad/headless"
for c in "${commands[@]}"; do
    for f in "$dir/bad/missing" "$dir/folder" "$dir/small.flt/below" "$dir"/bad/*; do
        try_command "$c" "$f"
        ok "$c refuses ${f#"$dir/"}${why:+:$why}" test -z "$why"
    done
done
for c in info dump check replay sweep; do
    try_command $c "$dir/bad/version"
    ok "$c names the version it cannot read" grep -q version "$dir/out" "$dir/err"
done

# ---- every length, every byte -----------------------------------------------------
mkdir "$dir/cut" "$dir/flip"
perl -e 'local $/; my ($in, $cut, $flip) = @ARGV; open F, "<:raw", $in; my $t = <F>;
    sub put { open my $o, ">:raw", $_[0] or die; print $o $_[1]; close $o }
    for my $i (0 .. length($t) - 1) {
        my $n = sprintf "%06d", $i;
        put("$cut/$n", substr($t, 0, $i));
        my $c = $t; substr($c, $i, 1) = chr(ord(substr($c, $i, 1)) ^ 1 << $i % 8);
        put("$flip/$n", $c);
    }' "$small" "$dir/cut" "$dir/flip"
start=$EPOCHREALTIME
for i in 1 2 3 4 5 6 7 8 9 10; do try info "$dir/cut/000100"; done
end=$EPOCHREALTIME
run_us=$(((${end/./} - ${start/./}) / 10))
total_us=$((2 * bytes * ${#commands[@]} * run_us))
stride=$((1 + total_us / 30000000))
echo "trace of $bytes bytes, $run_us us a run: every ${stride}th length and byte"
for c in "${commands[@]}"; do
    for kind in cut flip; do
        bad=0 n=0
        for ((i = 0; i < bytes; i += stride)); do
            printf -v f '%s/%s/%06d' "$dir" $kind $i
            try_command "$c" "$f"
            n=$((n + 1))
            if [[ $why ]]; then
                bad=$((bad + 1))
                ((bad > 3)) || echo "  $c $kind at byte $i: $why: $(head -1 "$dir/err")"
            fi
        done
        ok "$c refuses all $n traces with a $kind" test $bad = 0
    done
done

# check says how much is good: all of block 0 when the end is gone.
"$faultline" check --json "$dir/cut/$(printf %06d $((bytes - 1)))" >"$dir/verdict" 2>/dev/null
ok "check knows that all 40 accesses before a cut end are good" \
    test "$(jq -c '[.sound, .good_accesses]' "$dir/verdict")" = '[false,40]'
"$faultline" check --salvage "$dir/saved.flt" "$dir/cut/$(printf %06d $((bytes - 1)))" >"$dir/out" 2>&1
ok "what salvage saves is sound" reads check "$dir/saved.flt"
cut=$dir/cut/$(printf %06d $((bytes - 1)))
"$faultline" replay "$cut" --partial --frames 3 --json >"$dir/partial.json" 2>"$dir/err"
ok "replay --partial replays the good part" test \
    "$(jq -c .faults "$dir/partial.json")" = "$(jq -c .faults "$dir/replay.json")"
ok "replay --partial says so in one warning" test "$(grep -c warning "$dir/err") $(wc -l <"$dir/err")" = "1 1"
ok "replay --partial says so in the result" test "$(jq '.quality | length' "$dir/partial.json")" -gt 0
"$faultline" replay "$dir/saved.flt" --frames 3 --json >"$dir/salvaged.json"
ok "a salvaged trace says so in the result" test "$(jq '.quality | length' "$dir/salvaged.json")" -gt 0
for c in "info --partial" "dump --partial" "sweep --partial --ram 8K"; do
    # shellcheck disable=SC2086
    ok "$c reads the good part" reads $c "$cut" 2>"$dir/err"
done
"$faultline" check --salvage "$dir/o/saved.flt" "$dir/bad/text" >"$dir/out" 2>&1
ok "salvage of a text file fails" test $? = 1
ok "salvage of a text file leaves nothing" test -z "$(echo "$dir"/o/*)"
rm -rf "$dir"/o/*

# ---- import --------------------------------------------------------------------------
head -c 11 "$dir/refs" >"$dir/bad/refs"
for how in "pages $dir/bad/refs" "lackey $dir/bad/zeros" "pages $dir/bad/missing" "pages $dir/folder"; do
    try import --from ${how% *} "${how#* }" -o "$dir/o/i.flt"
    ok "import refuses ${how#* } as ${how% *}${why:+:$why}" test -z "$why"
done

# ---- damaged results -------------------------------------------------------------------
results=()
if has report; then results+=(report); fi
if has plot && command -v gnuplot >/dev/null; then results+=(plot); fi
mkdir "$dir/json"
echo '{"schema": "faultline.replay/1",' >"$dir/json/not-json"
echo '{"schema": "faultline.replay/999"}' >"$dir/json/newer-schema"
echo '{"schema": "somebody.else/1"}' >"$dir/json/other-schema"
echo '{"schema": 7}' >"$dir/json/schema-no-text"
echo '{}' >"$dir/json/no-schema"
echo '[1, 2]' >"$dir/json/array"
echo '{"schema": "faultline.replay/1"}' >"$dir/json/nothing-else"
perl -e 'print "[" x 100000' >"$dir/json/deep"
perl -e 'print "{\"schema\": \"faultline.replay/1\", \"faults\": ", "[" x 100000, "]" x 100000, "}"' \
    >"$dir/json/deep-inside"
printf '{"schema": "faultline.replay/1", "trace": "\xff\xfe"}' >"$dir/json/not-utf8"
wrong() { jq "$2" "$dir/$1.json" >"$dir/json/$3"; }
wrong replay '.timeline = 3' timeline-number
wrong replay '.timeline.columns = "x"' columns-text
wrong replay '.timeline.rows = {}' rows-object
wrong replay '.timeline.rows[0] = [1]' row-short
wrong replay '.timeline.rows[0][0] = "x"' cell-text
wrong replay '.faults = []' faults-array
wrong replay '.faults.minor = "many"' minor-text
wrong replay '.faults.minor = -1' minor-negative
wrong replay '.machine = null' machine-null
wrong replay '.trace = 7' trace-number
wrong replay '.trace.path = 7' path-number
wrong sweep '.points = {}' points-object
wrong sweep '.points = [7]' point-number
wrong sweep '.points[0].major = "x"' point-text
wrong sweep '.points[0].policy = 7' policy-number
for c in "${results[@]}"; do
    for f in "$dir"/json/*; do
        if [ $c = report ]; then
            try report "$f" -o "$dir/o/report"
        else
            chart=faults
            case $f in *point* | *policy*) chart=curve ;; esac
            # A plot need not look at what it does not draw.
            case $f in *path-number | *minor-* | *machine-null | *trace-number | *faults-array)
                try plot $chart "$f" -o "$dir/o/p.svg"
                ok "plot survives ${f##*/} (status $status)" test $status -lt 2
                rm -f "$dir"/o/*
                continue ;;
            esac
            try plot $chart "$f" -o "$dir/o/p.svg"
        fi
        ok "$c refuses ${f##*/}${why:+:$why}" test -z "$why"
    done
done

# Any single value of another type: an answer or a refusal, never a crash.
hurt=0 n=0
if has report; then
    for r in replay sweep; do
        jq -c 'paths | select(all(.[]; type == "string" or . == 0))' "$dir/$r.json" >"$dir/paths"
        while read -r path; do
            for value in null '"x"' -1 1e300 '{}' '[]'; do
                jq --argjson p "$path" --argjson v "$value" 'setpath($p; $v)' "$dir/$r.json" \
                    >"$dir/hurt.json"
                n=$((n + 1))
                ((n % stride == 0)) || continue
                "$faultline" report --json "$dir/hurt.json" >"$dir/out" 2>"$dir/err" </dev/null
                status=$?
                if ((status > 1 && status != 4)) || grep -q 'Sanitizer\|runtime error' "$dir/err"; then
                    hurt=$((hurt + 1))
                    ((hurt > 5)) || echo "  $path = $value: status $status $(head -1 "$dir/err")"
                fi
            done
        done <"$dir/paths"
    done
    ok "report survives $n results with one value of another type" test $hurt = 0
fi

# ---- places that cannot be written -----------------------------------------------------
full() { # full ARG...: with standard output on a full device
    "$faultline" "$@" >/dev/full 2>"$dir/err" </dev/null
    local status=$? lines
    mapfile -t lines <"$dir/err"
    ok "$* on a full disk: exit 1, one line ($status, ${#lines[@]} lines)" \
        test $status = 1 -a ${#lines[@]} = 1
}
cd "$dir" || exit 1
full --version
full help
for c in record "${commands[@]}" import policies machines; do
    grep -q "^  $c " <<<"$help" || continue
    full help $c
    full $c --help
done
full policies
full policies --json
full machines
full machines --json
full info small.flt
full info --json small.flt
full dump small.flt
full check small.flt
full check --json small.flt
full replay small.flt --frames 2
full replay small.flt --frames 2 --json
full sweep small.flt --ram 8K
full sweep small.flt --ram 8K --json
has report && full report --json small.flt
[[ " ${results[*]} " = *" plot "* ]] && full plot faults replay.json

# A device must be written, not replaced; this one is our own, should it be replaced after all.
places=(/proc/faultline/x "$dir/nowhere/x" "$dir/small.flt/x" "$dir/folder")
if mknod "$dir/full" c 1 7 2>/dev/null && ! { echo x >"$dir/full"; } 2>/dev/null && [ -c "$dir/full" ]; then
    places+=("$dir/full")
else
    echo "skipped: a device as output (cannot make one here)"
    rm -f "$dir/full"
fi
for place in "${places[@]}"; do
    try import --from pages refs -o "$place"
    ok "import -o $place fails${why:+:$why}" test -z "$why"
    try replay small.flt --frames 2 -o "$place"
    ok "replay -o $place fails${why:+:$why}" test -z "$why"
    try sweep small.flt --ram 8K -o "$place"
    ok "sweep -o $place fails${why:+:$why}" test -z "$why"
    if [[ " ${results[*]} " = *" plot "* && $place != "$dir/full" && $place != "$dir/folder" ]]; then
        try plot faults replay.json -o "$place.svg"
        ok "plot -o $place.svg fails${why:+:$why}" test -z "$why"
    fi
    # report makes the folders it needs
    if has report && [ "$place" != "$dir/folder" ] && [ "$place" != "$dir/nowhere/x" ]; then
        try report small.flt -o "$place"
        ok "report -o $place fails${why:+:$why}" test -z "$why"
    fi
done
if [ -e "$dir/full" ]; then ok "the device is still a device" test -c "$dir/full"; fi
ln -s "$dir/link-target" link
head -c 100000 /dev/zero >link-target
"$faultline" replay "$small" --frames 3 -o link
ok "a result through a link is the result" cmp -s link-target replay.json
ok "the link is still a link" test -L link
"$faultline" import --from pages refs -o link 2>err
ok "a trace through a link is sound" reads check link-target
"$faultline" check --salvage /proc/faultline/x cut/000300 >out 2>err
ok "check --salvage to nowhere fails" test $? = 1
ok "nothing was left in the folder" test -z "$(echo folder/*)"

# With no standard output at all, a file is still a file of its own.
"$faultline" info small.flt 2>err >&-
ok "info without a standard output fails" test $? = 1
"$faultline" replay "$small" --frames 3 -o closed.json 2>err >&-
ok "replay -o without a standard output writes the same result" cmp -s replay.json closed.json

exit $failed
