# SPDX-License-Identifier: GPL-2.0-or-later
# redis-server on a socket in DIR, and redis-cli beside it, one command after the other: 48,000 values
# of 1 KiB set, then 64,000 keys drawn at random, four of five read, sixteen keys a command.
# (redis-benchmark draws its keys by the clock; a pipe without turns makes the server's buffers grow
# as the processors please.) The server picks a hash seed of its own each time, so which bucket a key
# is in differs from run to run. Values are sixteen digits that repeat: swap compresses them well.
. "$(dirname "$0")/common.sh"

prepare() {
    awk 'function value(n) {
            v = sprintf("%016x", n * 2654435761)
            v = v v v v
            v = v v v v
            return v v v v
        }
        BEGIN {
            for (i = 0; i < 3000; i++) {
                printf "mset"
                for (k = 0; k < 16; k++)
                    printf " key%07d %s", i * 16 + k, value(i * 16 + k)
                print ""
            }
            a = 1
            for (; i < 7000; i++) {
                write = i % 5 == 0
                printf write ? "mset" : "mget"
                for (k = 0; k < 16; k++) {
                    a = (a * 69069 + 12345) % 4294967296
                    n = int(a / 4294967296 * 48000)
                    if (write)
                        printf " key%07d %s", n, value(n + i)
                    else
                        printf " key%07d", n
                }
                print ""
            }
        }' >"$dir/commands"
    cat >"$dir/session.sh" <<'END'
dir=$1
redis-server --save '' --appendonly no --port 0 --unixsocket "$dir/socket" --dir "$dir" \
    --logfile "$dir/log" --activedefrag no --hz 1 &
until [ -S "$dir/socket" ]; do sleep 0.1; done
redis-cli -s "$dir/socket" <"$dir/commands" >/dev/null
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
