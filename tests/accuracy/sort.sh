# SPDX-License-Identifier: GPL-2.0-or-later
# sort of 36 MiB of text in memory: one buffer read from the file, an array of lines, a merge that
# reads the lines in another order than they lie. Random letters and digits: hardly compressible.
. "$(dirname "$0")/common.sh"

prepare() {
    LC_ALL=C awk 'BEGIN {
        for (i = 0; i < 1000000; i++) {
            a = (a * 69069 + 12345) % 4294967296
            b = (b * 1103515245 + 7 * i) % 2147483648
            printf "%08x%08x %07d row\n", a, b, i
        }
    }' >"$dir/lines"
}
workload() {
    env=$(installed env)
    sort=$(installed sort)
    echo "$env LC_ALL=C $sort --parallel=1 -S 400M -o /dev/null $dir/lines"
}
main
