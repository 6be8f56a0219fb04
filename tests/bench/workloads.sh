# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034 # record.sh sources it: variables are shared
# workloads.sh - sourced: six programs to record, and what they need, made in the current folder.
# SCALE (default 1) makes them so many times smaller. make_workloads FOLDER-OF-THIS-FILE, then
# workload NAME runs one; with `RUN=(COMMAND...)` under that command.
WORKLOADS="small big sort cc1 py redis"
SCALE=${SCALE:-1}
RUN=()

make_workloads() {
    "${CC:-cc}" -O2 -o chase "$1/chase.c"
    awk -v n=$((1750000 / SCALE)) 'BEGIN {
        srand(7); for (i = 0; i < n; i++) printf "%010.0f row %010.0f\n", rand() * 1e10, rand() * 1e10 }' >lines
    awk -v n=$((390 / SCALE)) 'BEGIN {
        print "struct s { int a[16]; double d; struct s *next; };"
        print "extern void use(struct s *, int);"
        for (i = 0; i < n; i++) {
            printf "static int help%d(struct s *p, int n)\n{\n    int k = n ^ %d;\n", i, i * 37
            printf "    while (p && k-- > %d)\n        p = p->next;\n    return p ? p->a[%d] : k;\n}\n", i % 5, i % 16
            printf "int work%d(struct s *p, int n)\n{\n    int sum = help%d(p, n);\n", i, i
            printf "    for (int i = 0; i < n; i++)\n        sum += p->a[i & 15] * %d + (sum >> %d);\n", i + 3, i % 7
            printf "    switch (sum & 3) {\n    case 0: p->d += sum; break;\n    case 1: use(p, n + %d);\n    }\n    return sum;\n}\n", i } }' >gen.c
    cat >loop.py <<'PY'
import sys
total = 0
for i in range(int(sys.argv[1])):
    total += i * 3 & 0xff
print(total)
PY
}

redis_load() { # redis_load COMMAND...: a server under that command, and four benchmarks beside it
    local port=$((20000 + $$ % 20000)) i
    "$@" redis-server --port $port --save '' --appendonly no --daemonize no --dir . >redis.log 2>&1 &
    local server=$!
    for i in $(seq 200); do
        redis-cli -p $port ping >/dev/null 2>&1 && break
        sleep 0.1
    done
    redis-benchmark -p $port -n $((50000 / SCALE)) -c 20 -t set,get,incr,lpush -q >/dev/null 2>&1
    redis-cli -p $port shutdown nosave >/dev/null 2>&1
    wait $server
}

# What a workload needs installed; "chase" is built.
workload_needs() {
    case $1 in
    sort) echo sort ;;
    cc1) echo gcc ;;
    py) echo /usr/bin/python3 ;;
    redis) echo redis-server redis-benchmark ;;
    esac
}

workload() { # workload NAME [COMMAND...]: run it, under that command
    local name=$1
    shift
    case $name in
    small) "$@" ./chase 393216 $((54500000 / SCALE)) ;;
    big) "$@" ./chase 100663296 $((54500000 / SCALE)) ;;
    sort) LC_ALL=C "$@" sort --parallel=1 -S 200M -o sorted lines ;;
    cc1) "$@" gcc -O2 -c -o gen.o gen.c ;;
    py) "$@" /usr/bin/python3 -I -S loop.py $((3000000 / SCALE)) ;;
    redis) redis_load "$@" ;;
    esac
}
