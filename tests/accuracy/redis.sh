# SPDX-License-Identifier: GPL-2.0-or-later
# redis-server on a socket in DIR, and redis-cli feeding it: 40,000 values of 1 KiB set, then 120,000
# commands on keys drawn at random, four reads to a write. (redis-benchmark draws its keys by the
# clock.) The server picks a hash seed of its own each time, so which bucket a key is in differs from
# run to run. A value is sixteen hexadecimal digits that repeat: swap compresses them well.
. "$(dirname "$0")/common.sh"

prepare() {
    awk 'function value(n) { v = sprintf("%016x", n * 2654435761); v = v v v v; v = v v v v; return v v v v }
        function set(n) { printf "*3\r\n$3\r\nSET\r\n$10\r\nkey%07d\r\n$1024\r\n%s\r\n", n, value(n + i) }
        function get(n) { printf "*2\r\n$3\r\nGET\r\n$10\r\nkey%07d\r\n", n }
        BEGIN {
            for (i = 0; i < 40000; i++)
                set(i)
            a = 1
            for (; i < 160000; i++) {
                a = (a * 69069 + 12345) % 4294967296
                n = int(a / 4294967296 * 40000)
                if (i % 5 == 0)
                    set(n)
                else
                    get(n)
            }
        }' >"$dir/commands"
    cat >"$dir/session.sh" <<'END'
dir=$1
redis-server --save '' --appendonly no --port 0 --unixsocket "$dir/socket" --dir "$dir" \
    --logfile "$dir/log" --activedefrag no --hz 1 &
until redis-cli -s "$dir/socket" ping >/dev/null 2>&1; do sleep 0.1; done
redis-cli -s "$dir/socket" --pipe <"$dir/commands"
redis-cli -s "$dir/socket" shutdown nosave
wait
END
}
workload() {
    shell=$(installed sh)
    installed redis-server >/dev/null
    installed redis-cli >/dev/null
    echo "$shell $dir/session.sh $dir"
}
main
