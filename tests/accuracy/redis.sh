# SPDX-License-Identifier: GPL-2.0-or-later
# redis-server on a socket in DIR, and redis-cli beside it, one command after the other: 48,000 values
# of 1 KiB made, then 64,000 keys drawn at random, four of five read, sixteen keys a command.
# (redis-benchmark draws its keys by the clock; a pipe without turns makes the server's buffers grow
# as the processors please.) The server picks a hash seed of its own each time, so which bucket a key
# is in differs from run to run. Values are mostly zero bytes, no page is: swap compresses them well.
. "$(dirname "$0")/common.sh"

prepare() {
    awk 'function key() {
            a = (a * 69069 + 12345) % 4294967296
            return sprintf("key%07d", int(a / 4294967296 * 48000))
        }
        BEGIN {
            for (i = 0; i < 48000; i++)
                printf "setrange key%07d 1008 %016x\n", i, i * 2654435761
            a = 1
            for (i = 0; i < 4000; i++) {
                line = "mget"
                for (k = 0; k < 16; k++)
                    if (i % 5 == 0)
                        printf "setrange %s %d %08x\n", key(), k * 63, i * 16 + k
                    else
                        line = line " " key()
                if (i % 5)
                    print line
            }
        }' >"$dir/commands"
    cat >"$dir/session.sh" <<'END'
dir=$1
rm -f "$dir/socket" # of a server that was killed
redis-server --save '' --appendonly no --port 0 --unixsocket "$dir/socket" --dir "$dir" \
    --logfile "$dir/log" --activedefrag no --hz 1 &
until [ -S "$dir/socket" ]; do sleep 0.1; done
sleep 0.2 # from the name to listening
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
