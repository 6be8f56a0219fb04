#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A sweep as a Slurm array, one of whose tasks is killed, and the job that depends on it, end with
# the bytes of one process. Slurm's daemons are started here, for this test alone, in its folder.
# Usage: sweep_slurm.sh FAULTLINE WORKLOAD_DIR. Exit: 0 all hold, 1 one does not, 77 a tool is missing.
set -u
faultline=$(realpath "$1")
script=$(realpath "$(dirname "$0")/../../replay/cluster/sweep.sbatch")
PATH=$PATH:/usr/sbin:/sbin
for tool in perl jq slurmctld slurmd sbatch munged; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: slurmd wants to be root"; exit 77; }
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1
chmod 755 .

# ---- a cluster of one node -------------------------------------------------------------------
daemons=
stop() {
    scancel --quiet --user=root 2>/dev/null
    # shellcheck disable=SC2086
    kill $daemons 2>/dev/null
    for _ in $(seq 50); do
        # shellcheck disable=SC2086
        kill -0 $daemons 2>/dev/null || break
        sleep 0.1
    done
    # shellcheck disable=SC2086
    kill -KILL $daemons 2>/dev/null
    rm -rf "$dir"
}
trap stop EXIT
free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1)->sockport'; }
mkdir -m 700 munge state spool
head -c 128 /dev/urandom >munge/key
chmod 400 munge/key
node=$(hostname -s)
cat >slurm.conf <<END
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_res
SelectTypeParameters=CR_CPU
MailProg=/bin/true
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc)
PartitionName=all Nodes=$node Default=YES State=UP
END
export SLURM_CONF=$dir/slurm.conf
munged --foreground --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
    --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" >out.txt 2>&1 &
daemons="$daemons $!"
sleep 1
slurmctld -D -f "$SLURM_CONF" >slurmctld.out 2>&1 &
daemons="$daemons $!"
slurmd -D -f "$SLURM_CONF" -N "$node" >slurmd.out 2>&1 &
daemons="$daemons $!"
for _ in $(seq 60); do
    [ "$(sinfo -h -o %t 2>/dev/null)" = idle ] && break
    sleep 0.5
done
[ "$(sinfo -h -o %t 2>/dev/null)" = idle ] || {
    echo "skipped: Slurm does not start here: $(tail -qn 1 slurmd.log slurmctld.log slurmctld.out 2>/dev/null | tr '\n' ' ')"
    exit 77
}

# ---- the sweep ----------------------------------------------------------------------------------
printf '#!/bin/sh\necho $$ >pid-${SLURM_ARRAY_TASK_ID-none}\nexec "%s" "$@"\n' "$faultline" >worker
chmod +x worker
export FAULTLINE=$dir/worker
perl -e 'srand 1; print pack "Q<*", map { (rand(3) < 1 ? 1 << 63 : 0) | int(rand(rand(4) < 3 ? 300 : 3000)) } 1..150000' >refs
"$faultline" import --from pages refs -o t.flt 2>err.txt
sweep=(t.flt --ram "1M..12M/63" --policy "linux,mglru" -j1)
"$faultline" sweep "${sweep[@]}" -o one.json

array=$(sbatch --parsable --array=1-4 "$script" "${sweep[@]}" --resume parts/)
ok "an array is taken" test -n "$array"
after=$(sbatch --parsable --dependency="afterany:$array" "$script" "${sweep[@]}" --resume parts/ -o r.json)
ok "and a job after it" test -n "$after"
for _ in $(seq 1200); do # a task under way, with something done
    [ -e parts/2-of-4.part ] && [ "$(grep -c '"point"' parts/2-of-4.part)" -ge 1 ] && break
    sleep 0.05
done
before=$(cat parts/*.part | grep -c '"point"')
kill -KILL "$(cat pid-2)"
for _ in $(seq 180); do
    [ -z "$(squeue -h)" ] && break
    sleep 1
done
ok "all come to an end" test -z "$(squeue -h)"
same "the task that was killed in the middle ($before of 126 points were done) failed" \
    "$(scontrol show job "${array}_2" -o | grep -oE 'JobState=[A-Z]*')" JobState=FAILED
ok "four parts, and what the job after it did" test "$(echo parts/*)" = \
    "parts/1-of-1.part parts/1-of-4.part parts/2-of-4.part parts/3-of-4.part parts/4-of-4.part"
ok "which is what was left" test "$(grep -c '"point"' parts/1-of-1.part)" -lt 32 -a \
    "$(grep -c '"point"' parts/1-of-1.part)" -gt 0
ok "with the bytes of one process" cmp -s r.json one.json
exit $failed
