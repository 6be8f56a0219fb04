#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What an exact recording says of files: each transfer to the byte, and what was cached.
# Usage: record_files.sh FAULTLINE WORKLOAD_DIR
# Exit: 0 all hold, 1 one does not, 77 this build has no exact tracer.
set -u
faultline=$1
workloads=$2
. "$(dirname "$0")/common.sh"
cd "$dir" || exit 1

record() { "$faultline" record -q "$@"; }
events() { "$faultline" dump "$1" | grep -v ' user mm=\| kernel mm='; }
# io TRACE NAME...: "NAME OPERATION OFFSET LENGTH FLAGS" of each transfer of files so called
io() {
    local trace=$1
    shift
    events "$trace" | awk -v names=" $* " '
        function value(key,  i) {
            for (i = 4; i <= NF; i++)
                if (index($i, key "=") == 1) return substr($i, length(key) + 2)
        }
        $3 == "file" {
            n = value("path"); gsub(/"/, "", n); sub(/.*\//, "", n); name[value("file")] = n
        }
        $3 == "file-io" && index(names, " " name[value("file")] " ") {
            print name[value("file")], value("op"), value("offset"), value("length"), value("flags")
        }
        $3 == "lock" && index(names, " lock ") {
            print "lock", value("mode"), value("start"), value("length")
        }'
}
# resident TRACE NAME: "OFFSET+LENGTH" of each cached range of the file so called
resident() {
    events "$1" | awk -v name="/$2\"" '
        $3 == "file" && substr($0, length($0) - length(name) + 1) == name { id = $4 }
        $3 == "resident" && $4 == id {
            sub("offset=", "", $5); sub("length=", "", $6); printf "%s%s+%s", s, $5, $6; s = " "
        }'
}

if ! record -o probe.flt -- true 2>why; then
    if grep -q 'no exact tracer' why; then
        echo "skipped: $(cat why)"
        exit 77
    fi
    cat why
    exit 1
fi

# ---- transfers ---------------------------------------------------------------------
mkdir work
record -o io.flt -- "$workloads/exact_files" work >wanted
same "the program of known transfers runs" $? 0
io io.flt data copy lock >got
ok "each transfer is in the trace, in order, to the byte" diff wanted got
ok "there are more than 40 of them" test "$(wc -l <got)" -gt 40
ok "sound" "$faultline" check io.flt >check.out
same "nothing is said of mlock's limits any more" "$("$faultline" info io.flt | grep -c mlock)" 0

printf 'one\ntwo\n' >lines
record -o in.flt -- cat <lines >out
same "a file that was open at the start is followed" "$(io in.flt lines out | grep -v sequential | tr '\n' ';')" \
    "lines read 0 8 -;out write 0 8 -;"
record -o append.flt -- sh -c 'echo three >>lines; echo four >>lines'
same "two appends of the shell" "$(io append.flt lines | tr '\n' ';')" \
    "lines write 8 6 -;lines write 14 5 -;"
record -o proc.flt -- cat /proc/self/stat >out
same "files that are no pages are left out" "$(events proc.flt | grep -c 'path="/proc')" 0
record -o gone.flt -- sh -c 'echo a >temp; rm temp; echo b >temp; cat temp' >out
same "a file made anew under its old name is another file" "$(events gone.flt | grep -c '/temp"')" 2
record -o moved.flt -- sh -c 'echo a >old; echo b >new; mv new old'
same "rename drops what it replaces" "$(io moved.flt old | tail -1)" "old unlink 0 0 -"

# ---- residency ----------------------------------------------------------------------
if [ "$(stat -f -c %T .)" = tmpfs ]; then
    echo "skipped: $dir is on tmpfs, whose pages cannot be dropped"
    exit $failed
fi
head -c 3000000 /dev/zero >file
"$workloads/exact_files" cold file
record -o cold.flt -- cat file >out
same "a cold file" "$(resident cold.flt file)" "0+0"
record -o warm.flt -- cat file >out
same "a warm file" "$(resident warm.flt file)" "0+3002368"
part="12288+4096 409600+204800 2998272+4096"
for _ in 1 2 3; do # reclaim of the machine's own may take a page away meanwhile
    "$workloads/exact_files" cold file
    "$workloads/exact_files" warm file 3 1 100 50 732 1
    record -o part.flt -- cat file >out
    [ "$(resident part.flt file)" = "$part" ] && break
done
same "a file that is cached in part" "$(resident part.flt file)" "$part"
"$workloads/exact_files" cold file
record -o twice.flt -- sh -c 'cat file; cat file' >out
same "only the first of two processes finds it cold" "$(resident twice.flt file)" "0+0"

cp "$(type -P true)" first
cp "$(type -P true)" second
printf '#!%s\n' "$PWD/first" >script
chmod +x script
for f in first second script; do "$workloads/exact_files" cold $f; done
record -o program.flt -- ./script
same "a cold script" "$(resident program.flt script)" "0+0"
same "its cold interpreter" "$(resident program.flt first)" "0+0"
record -o exec.flt -- sh -c './second; ./second'
same "a cold program that a shell starts" "$(resident exec.flt second)" "0+0"
exit $failed
