#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sweep has the same bytes on any number of threads, in any memory, interrupted or not, in one
# process or many; what is no part of it is refused.
# Usage: sweep.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
for tool in perl jq flock; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

fl() { "$faultline" "$@" </dev/null; }
pages() { # pages NAME SEED REFS PAGES: a trace with a hot tenth, a third of it writes
    perl -e 'my ($seed, $n, $pages) = @ARGV; srand $seed;
        print pack "Q<*", map { (rand(3) < 1 ? 1 << 63 : 0) | int(rand(rand(4) < 3 ? $pages / 10 : $pages)) } 1..$n' \
        "$2" "$3" "$4" >refs && fl import --from pages refs -o "$1" 2>/dev/null
}
to_do() { fl sweep "$@" --dry-run --json | jq .to_do; }
pages a.flt 1 40000 1500
pages b.flt 2 30000 3000
pages slow.flt 3 150000 3000

# ---- threads, memory, machines -------------------------------------------------------------
every=(a.flt --ram 5%..100%/12 --policy "fifo,lru,clock,random,opt,linux,mglru" --swap 1M,max)
fl sweep "${every[@]}" -j1 -o one.json 2>err
ok "silent on stderr in no terminal" test $? = 0 -a ! -s err
ok "all points" holds one.json '.points | length == 168'
for j in 2 3 16; do
    fl sweep "${every[@]}" -j$j -o j.json
    ok "-j$j has the bytes of -j1" cmp -s j.json one.json
done
plan() { fl sweep "$@" --dry-run --json | jq -c '[.passes, .threads, .memory_bytes]'; }
most=$(plan "${every[@]}" -j4 | jq '.[2]')
less=$((most / 2))
ok "--memory is kept to" test "$(plan "${every[@]}" -j4 --memory $less | jq '.[2]')" -le $less
fl sweep "${every[@]}" -j4 --memory $less -o m.json
ok "with the same bytes" cmp -s m.json one.json
pages wide.flt 4 100000 60000
wide=(wide.flt --ram 1M..200M/32 --policy fifo -j1)
less=$(($(plan "${wide[@]}" | jq '.[2]') * 3 / 4))
ok "one thread makes more passes in less memory" test "$(plan "${wide[@]}" --memory $less | jq '.[0]')" -gt \
    "$(plan "${wide[@]}" | jq '.[0]')"
exits 2 fl sweep "${every[@]}" --memory 1M
ok "too little says what is needed" grep -q "needs about" err.txt
exits 2 fl sweep "${every[@]}" --memory 50%
ok "--dry-run is one line" test "$(fl sweep "${every[@]}" -j2 --dry-run | wc -l)" = 1
ok "of what is to be done" has "168 of 168 points to do, 1 trace, " <(fl sweep "${every[@]}" --dry-run)

fl sweep a.flt --ram 1M,2M --policy lru,linux --machine zen4,teaching -j2 -o tlb.json
same "every point once a machine" "$(jq -c '[.points[].machine] | group_by(.) | map(length)' tlb.json)" "[4,4]"
for i in 0 3 5 6; do
    read -r policy frames machine < <(jq -r ".points[$i] | \"\(.policy) \(.ram_bytes) \(.machine)\"" tlb.json)
    fl replay a.flt --ram "$frames" --policy "$policy" --machine "$machine" -o r.json
    same "sweep's TLB is replay's: $policy on $machine" \
        "$(jq -c ".points[$i] | [.minor, .major, .tlb.walks, .tlb.walk_refs, .tlb.flushes, .tlb.page_flushes]" tlb.json)" \
        "$(jq -c '[.faults.minor, .faults.major, .tlb.walks, .tlb.walk_refs, .tlb.flushes, .tlb.page_flushes]' r.json)"
done
exits 2 fl sweep a.flt --ram 1M --machine zen4,none

# ---- interrupted -------------------------------------------------------------------------------
fl sweep "${every[@]}" -j2 --resume p.part -o r.json
ok "a result with a part has the same bytes" cmp -s r.json one.json
same "nothing is left to do" "$(to_do "${every[@]}" --resume p.part)" 0
fl sweep "${every[@]}" --resume p.part -o r.json
ok "nor does doing nothing change them" cmp -s r.json one.json
bytes=$(stat -c %s p.part) bad=0
for i in 1 2 3 4 5 6 7 8; do # wherever the writer died
    head -c $((bytes * i / 9 + i)) p.part >cut.part
    fl sweep "${every[@]}" -j2 --resume cut.part -o r.json && cmp -s r.json one.json &&
        [ "$(to_do "${every[@]}" --resume cut.part)" = 0 ] || bad=$((bad + 1))
done
same "a part cut anywhere goes on to the same bytes" $bad 0
: >empty.part
fl sweep a.flt --ram 1M --resume empty.part >/dev/null
ok "an empty part is a new one" test -s empty.part

slow=(slow.flt --ram "1M..12M/32" --policy linux -j1)
fl sweep "${slow[@]}" -o slow.json
lines() { [ -e "$1" ] && wc -l <"$1" || echo 0; }
for signal in KILL TERM INT; do
    # the jobs of a shell script ignore SIGINT: perl gives it back
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$faultline" sweep "${slow[@]}" --resume $signal.part \
        -o r.json >out.txt 2>err.txt </dev/null &
    pid=$!
    for _ in $(seq 600); do
        [ "$(lines $signal.part)" -ge 5 ] && break
        sleep 0.05
    done
    kill -$signal $pid
    wait $pid 2>/dev/null
    status=$?
    left=$(to_do "${slow[@]}" --resume $signal.part)
    ok "$signal: some points are done, not all ($left left)" test "$left" -gt 0 -a "$left" -lt 32
    if [ $signal != KILL ]; then
        same "$signal: the status says so" $status $((128 + $(kill -l $signal)))
        ok "$signal: one line says how to go on" test "$(grep -c "$signal.part.*goes on" err.txt)" = 1 -a "$(wc -l <err.txt)" = 1
    fi
    fl sweep "${slow[@]}" --resume $signal.part -o r.json
    ok "$signal: going on gives the same bytes" cmp -s r.json slow.json
done

# ---- no part of this sweep -----------------------------------------------------------------------
cp p.part before.part
exits 2 fl sweep b.flt "${every[@]:1}" --resume p.part
ok "another trace is refused by its name" grep -q "p.part is of another trace.*b.flt" err.txt
exits 2 fl sweep a.flt --ram 1M --policy lru --resume p.part
ok "other options are named" grep -q -- "--ram was '5%..100%/12', now it is '1M'" err.txt
exits 2 fl sweep "${every[@]}" --seed 2 --resume p.part
ok "the seed is one" grep -q -- "--seed was '1'" err.txt
exits 2 fl sweep a.flt b.flt "${every[@]:1}" --resume p.part
ok "a refused part is as it was" cmp -s p.part before.part
for other in a.flt one.json refs; do
    cp $other foreign
    exits 1 fl sweep "${every[@]}" --resume foreign
    ok "and so is $other, no part at all" cmp -s $other foreign
done
sed 's/faultline.part\/1/faultline.part\/9/' p.part >foreign
exits 1 fl sweep "${every[@]}" --resume foreign
flock p.part sleep 3 &
sleep 0.5
exits 1 fl sweep "${every[@]}" --resume p.part
ok "a part has one writer" grep -q "in use" err.txt
wait
sed '5s/"minor":/"minor":9/' p.part >bad.part
fl sweep "${every[@]}" --resume bad.part -o r.json 2>err.txt
ok "a damaged line is named" grep -q "bad.part: line 5 is damaged" err.txt
ok "its point is done again" cmp -s r.json one.json

# ---- shares --------------------------------------------------------------------------------------
for n in 1 3 8; do
    rm -rf parts
    for i in $(seq $n); do
        fl sweep "${every[@]}" -j1 --shard "$i/$n" --resume parts/ >out 2>err || cat err
        ok "shard $i/$n prints nothing" test ! -s out -a ! -s err
    done
    same "$n shards: nothing is left" "$(to_do "${every[@]}" --resume parts/)" 0
    fl sweep "${every[@]}" --resume parts/ -o r.json
    ok "$n shards: put together they have the same bytes" cmp -s r.json one.json
done
same "each point is answered once" "$(cat parts/*.part | grep -c '"point"')" 168
ok "each of 8 has its share" test "$(grep -c '"point"' parts/?-of-8.part | sed 's/.*://' | sort -n | head -1)" -ge 8
rm -f parts/*-of-1.part
own=$(grep -c '"point"' parts/3-of-8.part)
rm parts/3-of-8.part
same "of a lost part only its points are left" "$(to_do "${every[@]}" --resume parts/)" "$own"
cp -r parts again
fl sweep "${every[@]}" --shard 3/8 --resume again/
same "its shard does them" "$(to_do "${every[@]}" --resume again/)" 0
sed -i '3s/"trace"/"tracr"/' parts/5-of-8.part
fl sweep "${every[@]}" --resume parts/ -o r.json 2>err.txt
ok "a damaged part is named" grep -q "parts/5-of-8.part: line 3 is damaged" err.txt
ok "what was lost is done again, with the same bytes" cmp -s r.json one.json
mv a.flt away.flt
fl sweep "${every[@]}" --resume again/ -o r.json 2>err.txt
ok "whole parts need no trace" cmp -s r.json one.json
exits 1 fl sweep "${every[@]}" --ram 1M --resume new.part
mv away.flt a.flt
for bad in 0/3 4/3 1 1/0 x/2 1/2x -1/2 auto; do
    exits 2 env -u SLURM_ARRAY_TASK_ID "$faultline" sweep "${every[@]}" --shard $bad --resume parts/
done
exits 2 fl sweep "${every[@]}" --shard 1/2
fl sweep "${every[@]}" --shard 1/2 --resume parts/ -o shard.json
ok "a shard writes no result" test ! -e shard.json
rm -rf parts
OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=3 fl sweep "${every[@]}" --shard auto --resume parts/
PMI_RANK=1 PMI_SIZE=3 fl sweep "${every[@]}" --shard auto --resume parts/
SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_MIN=5 SLURM_ARRAY_TASK_COUNT=3 SLURM_PROCID=0 SLURM_NTASKS=1 \
    fl sweep "${every[@]}" --shard auto --resume parts/
same "--shard auto: whom the launcher says" "$(echo parts/*)" \
    "parts/1-of-3.part parts/2-of-3.part parts/3-of-3.part"
same "and all of it" "$(to_do "${every[@]}" --resume parts/)" 0

# ---- batches -------------------------------------------------------------------------------------
printf 'b.flt\nslow.flt\n' >list
some=(--ram 30%,60% --policy lru,clock,linux)
for t in a b slow; do fl sweep $t.flt "${some[@]}" -o $t.json; done
fl sweep a.flt --list list "${some[@]}" -j2 -o results
for t in a b slow; do ok "a batch has $t's own result" cmp -s $t.json results/$t.json; done
rm -rf parts results
for i in 1 2 3 4; do "$faultline" sweep --list - a.flt "${some[@]}" --shard $i/4 --resume parts/ <list; done
same "a batch in shards" "$("$faultline" sweep a.flt --list - "${some[@]}" --resume parts/ --dry-run --json <list | jq .to_do)" 0
"$faultline" sweep a.flt --list - "${some[@]}" --resume parts/ -o results <list
for t in a b slow; do ok "put together: $t's own result" cmp -s $t.json results/$t.json; done
mkdir -p sub && cp b.flt sub/a.flt
exits 2 fl sweep a.flt sub/a.flt --ram 1M -o results
: >none
exits 2 fl sweep --list none --ram 1M
exits 1 fl sweep --list nowhere --ram 1M
fl sweep a.flt b.flt --ram 1M >out
ok "tables one after the other, each with its trace" test "$(grep -cE '^[ab].flt$' out)" = 2
exit $failed
