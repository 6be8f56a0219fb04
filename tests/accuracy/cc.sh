# SPDX-License-Identifier: GPL-2.0-or-later
# A compiler: cc1 alone, -O1, over one C file of a table and 40 functions. Trees in a
# garbage-collected heap, partly compressible.
. "$(dirname "$0")/common.sh"

prepare() {
    awk 'BEGIN {
        printf "const struct { unsigned key; const char *name; } table[] = {\n"
        for (i = 0; i < 80000; i++)
            printf "    { %du, \"name%d\" },\n", i * 7919 + 300, i * 31
        printf "};\n"
        for (i = 0; i < 40; i++) {
            printf "struct s%d { int a, b, v[%d]; struct s%d *next; };\n", i, i % 13 + 1, i
            printf "int f%d(struct s%d *p, int n)\n{\n    int s = %d;\n", i, i, i
            printf "    for (int i = 0; i < n; i++) {\n"
            printf "        s += p->v[i %% %d] ^ (s << %d);\n", i % 13 + 1, i % 7 + 1
            printf "        if (s %% %d == 0)\n            p->a += s, p = p->next;\n", i % 29 + 2
            printf "        switch (s & 7) {\n"
            for (k = 0; k < 6; k++)
                printf "        case %d: p->b ^= s * %d; break;\n", k, i * 31 + k
            printf "        default: s -= p->b;\n        }\n    }\n"
            if (i)
                printf "    return s + f%d((struct s%d *)p, n - 1);\n}\n", i - 1, i - 1
            else
                printf "    return s;\n}\n"
        }
    }' >"$dir/big.c"
}
workload() {
    cc1=$(gcc -print-prog-name=cc1) || exit 77
    [ -x "$cc1" ] || { echo "$0: gcc has no cc1" >&2; exit 77; }
    echo "$cc1 -quiet -O1 -w $dir/big.c -o /dev/null"
}
main
