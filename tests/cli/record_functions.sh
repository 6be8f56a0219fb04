#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which functions an exact recording says that accesses come from.
# Usage: record_functions.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this build has no exact tracer.
set -u
faultline=$1
workloads=$2
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

record() { "$faultline" record -q "$@"; }

# touches TRACE FIRST PAGES: "MM FUNCTION VISITS" of each address space and function in which
# runs on these pages began, in order of appearance. A run that says nothing is where its
# thread's last one was.
touches() {
    "$faultline" dump "$1" | awk -v first="$(($2))" -v pages="$3" '
        function value(key,  i) {
            for (i = NF; i > 0; i--)
                if (index($i, key "=") == 1) return substr($i, length(key) + 2)
            return ""
        }
        function hex(s,  i, n) {
            for (i = 3; i <= length(s); i++)
                n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
            return n
        }
        $3 == "code" { n = $0; sub(/.* name="/, "", n); sub(/"$/, "", n); name[value("code")] = n }
        $2 == "user" {
            if (value("code") != "") at[$1] = name[value("code")]
            page = hex(value("page"))
            if (page < first || page >= first + pages) next
            key = value("mm") " " at[$1]
            if (!(key in seen)) order[++n_keys] = key
            seen[key]++
        }
        END { for (i = 1; i <= n_keys; i++) print order[i], seen[order[i]] }'
}

if ! record -o f.flt -- "$workloads/exact_functions" >place 2>why; then
    if grep -q 'no exact tracer' why; then
        echo "skipped: $(cat why)"
        exit 77
    fi
    echo "not recorded: $(cat why)"
    exit 1
fi
read -r table code <place

ok "the trace is sound" "$faultline" check f.flt
same "the table is first touched in fill_table, then walked twice, and once in the child" \
    "$(touches f.flt "$table" 256)" $'0 fill_table 256\n0 walk_table 512\n1 walk_table 256'
same "code in no file is one place" \
    "$(touches f.flt "$((code + 1))" 1)" "0 anonymous code 1"
ok "functions of the C library have their names" \
    grep -q ' name="fork"\| name="__libc_fork"\| name="_Fork"' <("$faultline" dump --no-runs f.flt)
ok "info says how many functions" grep -q 'record.functions' <("$faultline" info f.flt)

# ---- stripped ------------------------------------------------------------------------
objcopy -S "$workloads/exact_functions" stripped
record -o s.flt -- ./stripped >place
read -r table code <place
same "without symbols the file is known, not the function" \
    "$(touches s.flt "$table" 256)" $'0  768\n1  256'

# ---- redacted, and not at all -----------------------------------------------------------
cp "$workloads/exact_functions" secret-program
record --redact -o r.flt -- ./secret-program >place
same "--redact: no function is named" \
    "$("$faultline" dump --no-runs r.flt | grep ' code ' | grep -cv 'name=""\|name="anonymous code"')" 0
same "--redact: nothing tells the functions" "$("$faultline" dump r.flt | grep -c 'fill_table')" 0
ok "--redact: they are told apart" \
    test "$("$faultline" dump --no-runs r.flt | grep -c ' code ')" -gt 10
record --no-ip -o n.flt -- "$workloads/exact_functions" >place
same "--no-ip: no functions" "$("$faultline" dump n.flt | grep -c 'code=')" 0
ok "--no-ip: the rest is there" test "$(grep -c . place)" = 1
# Only what the program does twice the same way can be compared: its table.
pages() { "$faultline" dump "$1" | grep -c "user mm=0 page=$(printf '0x%x' "$2") "; }
read -r table code <place
ok "--no-ip: as many runs of a page" test "$(pages n.flt "$table")" = 3

exit $failed
