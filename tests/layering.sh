#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: layering.sh ROOT. Folders talk only through include/faultline; libraries do not
# print or exit; perf stays in collect/perf, ELF in collect/symbols, BPF in collect/bpf; files stay short and their names unique.
set -u
root=${1:?usage: layering.sh ROOT}
cd "$root" || exit 1

mapfile -t product < <(find include collect replay analyze plots -name '*.[ch]' -o -name '*.cpp' 2>/dev/null | sort)
mapfile -t tests < <(find tests -name '*.[ch]' 2>/dev/null | sort)
[ ${#product[@]} -gt 0 ] || { echo "no C files under $root"; exit 1; }
bad=0
complain() {
    echo "$*"
    bad=$((bad + 1))
}

# Comments and string literals blanked, line numbers kept: what the compiler acts on.
code_of() {
    perl -0777 -pe 's{("(?:\\.|[^"\\\n])*")|(\x27(?:\\.|[^\x27\\\n])*\x27)|(/\*.*?\*/)|(//[^\n]*)}
                     {my $m = $&; my $n = ($m =~ tr/\n//); defined $1 ? "\"\"" . "\n" x $n : defined $2 ? "0" : " " . "\n" x $n}gesx' "$1"
}

# Kernel and libc headers: not "faultline/", and no library of somebody else's.
libc='assert|complex|ctype|dirent|elf|endian|errno|fcntl|fenv|float|getopt|glob|inttypes|iso646|limits|locale|math|poll|pthread|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|termios|tgmath|time|unistd|wchar|wctype|sys/[a-z0-9_]+'

includes() {
    local file=$1 dir name line
    dir=$(dirname "$file")
    while IFS=: read -r line name; do
        case $name in
        '"../'*) complain "$file:$line: $name reaches into another folder; use include/faultline" ;;
        '"'*)
            name=${name//\"/}
            [ -e "$dir/$name" ] && continue
            # The tracer is one box in two folders, on Valgrind's own headers.
            [[ $file == collect/tracer/tool/* ]] &&
                [[ $name == pub_tool_*.h || -e collect/tracer/$name ]] && continue
            # The Linux model and the kernel's allocators are boxes inside replay, on replay's own headers.
            [[ $file == replay/@(linux|kernel)/* && -e replay/$name ]] && continue
            complain "$file:$line: \"$name\" is not beside it; private headers stay in their folder"
            ;;
        esac
    done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" |
        sed -E 's/^([0-9]+):[^"<]*(["<][^">]*[">]).*/\1:\2/')
}

for file in "${product[@]}"; do
    includes "$file"
    case $file in
    include/faultline/*)
        while IFS=: read -r line name; do
            [[ $name =~ ^\<($libc)\.h\>$ || $name =~ ^\<faultline/[a-z_]+\.h\>$ ]] ||
                complain "$file:$line: $name: public headers include only libc and <faultline/...>"
        done < <(grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" |
            sed -E 's/^([0-9]+):[^"<]*(["<][^">]*[">]).*/\1:\2/')
        ;;
    esac
    case $file in
    collect/perf/*) ;;
    *)
        while IFS= read -r hit; do
            complain "$file:$hit: perf_event_open and libpfm4 belong to collect/perf"
        done < <(grep -nE '#[[:space:]]*include[[:space:]]*<(linux/perf_event\.h|perfmon/)' "$file"
            code_of "$file" | grep -nE '\b(perf_event_open|SYS_perf_event_open|pfm_[a-z]+) *\(')
        ;;
    esac
    case $file in
    collect/symbols/*) ;;
    *)
        while IFS= read -r hit; do
            complain "$file:$hit: libelf belongs to collect/symbols"
        done < <(grep -nE '#[[:space:]]*include[[:space:]]*<(libelf\.h|gelf\.h|elfutils/)' "$file"
            code_of "$file" | grep -nE '\b(elf_[a-z]+|gelf_[a-z]+) *\(')
        ;;
    esac
    case $file in
    collect/bpf/*) ;;
    *)
        while IFS= read -r hit; do
            complain "$file:$hit: libbpf belongs to collect/bpf"
        done < <(grep -nE '#[[:space:]]*include[[:space:]]*<bpf/' "$file")
        ;;
    esac
    case $(basename "$file") in
    cmd_*.c | main.c) ;;
    outfile.c) ;; # what cmd_*.c print through
    *)
        # The tracer is a program of its own, inside Valgrind.
        [[ $file == collect/tracer/* ]] && continue
        while IFS= read -r hit; do
            complain "$file:$hit: libraries return errors; only cmd_*.c and main.c print or exit"
        done < <(code_of "$file" | grep -nE '(^|[^_a-zA-Z0-9>.])(printf|vprintf|puts|putchar|perror|exit|_Exit|abort|quick_exit|err|errx|warn|warnx) *\(|\bstdout\b|\bstderr\b' |
            grep -vE '^[0-9]+:[[:space:]]*(struct|int|void|static|extern)?[[:space:]]*__attribute__')
        ;;
    esac
done

for file in "${tests[@]}"; do
    if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"\.\./' "$file"; then
        complain "$file: includes by relative path; test programs see every folder already"
    fi
done

for file in "${product[@]}" "${tests[@]}"; do
    lines=$(wc -l <"$file")
    if [ "$lines" -gt 600 ]; then
        complain "$file: $lines lines; split it (600 is the limit)"
    elif [ "$lines" -gt 500 ]; then
        echo "$file: warning: $lines lines; 500 is plenty"
    fi
done

while IFS= read -r name; do
    complain "$name: two files of that name: $(find include collect replay analyze plots tests -name "$name" | tr '\n' ' ')"
done < <(printf '%s\n' "${product[@]}" "${tests[@]}" | sed 's|.*/||' |
    grep -vE '^[[:space:]]*$' | sort | uniq -d)

echo "layering: ${#product[@]} product files, ${#tests[@]} test files, $bad complaints"
[ $bad -eq 0 ]
