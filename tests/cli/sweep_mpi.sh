#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sweep under mpirun, one of whose processes is killed, ends with the bytes of one process.
# Usage: sweep_mpi.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
adapter=$(realpath "$(dirname "$0")/../../replay/cluster/faultline-mpi")
for tool in perl jq mpirun; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 FAULTLINE=$dir/worker
printf '#!/bin/sh\necho $$ >pid-${OMPI_COMM_WORLD_RANK-none}\nexec "%s" "$@"\n' "$faultline" >worker
chmod +x worker
mpi() { timeout 250 sh "$adapter" --oversubscribe -n 4 -- "$@" </dev/null; }
timeout 60 mpirun --oversubscribe -n 2 true >out.txt 2>&1 ||
    { echo "skipped: mpirun does not work here: $(head -1 out.txt)"; exit 77; }

perl -e 'srand 1; print pack "Q<*", map { (rand(3) < 1 ? 1 << 63 : 0) | int(rand(rand(4) < 3 ? 300 : 3000)) } 1..150000' >refs
"$faultline" import --from pages refs -o t.flt 2>err.txt
sweep=(t.flt --ram "1M..12M/63" --policy "linux,mglru" -j1)
"$faultline" sweep "${sweep[@]}" -o one.json

mpi "${sweep[@]}" --resume parts/ -o r.json >out.txt 2>err.txt
ok "4 processes" test $? = 0
ok "a part each" test "$(echo parts/*-of-4.part | wc -w)" = 4
ok "have the bytes of one" cmp -s r.json one.json
mpi "${sweep[@]}" --resume parts/ -o r.json 2>err.txt
ok "again there is nothing to do" cmp -s r.json one.json

rm -rf parts
mpi "${sweep[@]}" --resume parts/ -o killed.json >out.txt 2>err.txt &
for _ in $(seq 600); do # a process under way, with something done
    [ -e parts/3-of-4.part ] && [ "$(grep -c '"point"' parts/3-of-4.part)" -ge 1 ] && break
    sleep 0.05
done
done_before=$(cat parts/*.part | grep -c '"point"')
kill -KILL "$(cat pid-2)"
wait $!
ok "one is killed in the middle ($done_before of 126 were done): all the same it ends" test $? = 0
ok "which was seen" grep -q "not all processes came to their end" err.txt
ok "with the bytes of one process" cmp -s killed.json one.json
ok "what was done is not done again" test "$(cat parts/*.part | grep '"point"' | jq .point | sort | uniq -d | wc -l)" = 0

exits 2 sh "$adapter" -n 2 t.flt --ram 1M --resume parts/
exits 2 sh "$adapter" -n 2 -- t.flt --ram 1M
printf '#!/bin/sh\n[ "${OMPI_COMM_WORLD_RANK-}" ] && exit 1\nexec "%s" "$@"\n' "$faultline" >worker
rm -rf parts
mpi "${sweep[@]}" --resume parts/ -o never.json >out.txt 2>err.txt
ok "it does not go on for ever" test $? = 1 -a ! -e never.json
ok "but says what is left" grep -q "no more points are finished, 126 are left" err.txt
exit $failed
