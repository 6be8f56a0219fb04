# SPDX-License-Identifier: GPL-2.0-or-later
# An interpreter's heap: a dictionary of 170,000 strings built, walked in order and at random, and
# thinned out. Small objects, a table that doubles, reference counts that make reading write. Most of a
# value is the same letters: swap compresses it.
. "$(dirname "$0")/common.sh"

prepare() {
    cat >"$dir/dictionary.py" <<'END'
n = 170000
state = 1
pad = "abcdefghij" * 14


def below(limit):
    global state
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    return (state >> 33) % limit


d = {}
for i in range(n):
    d["key%d" % (i * 7919)] = [i, "value %d, then " % (i * i) + pad]
total = 0
for v in d.values():
    total += v[0]
for _ in range(n // 2):
    v = d["key%d" % (below(n) * 7919)]
    v[0] += 1
for i in range(0, n, 3):
    del d["key%d" % (i * 7919)]
for k in d:
    total += len(d[k][1])
print(total)
END
}
workload() {
    # A wrapper that picks a version would be measured too: ask for the program itself.
    python=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))') || exit 77
    env=$(installed env)
    echo "$env PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 $python -S $dir/dictionary.py"
}
main
