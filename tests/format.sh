#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: format.sh ROOT. Every C and C++ file looks as .clang-format says. 77: no clang-format here.
set -u
root=${1:?usage: format.sh ROOT}
cd "$root" || exit 1
if ! command -v clang-format >/dev/null; then
    echo "clang-format is not installed: apt-get install clang-format"
    exit 77
fi
mapfile -t files < <(find include collect replay analyze plots tests -name '*.[ch]' -o -name '*.cpp' 2>/dev/null | sort)
[ ${#files[@]} -gt 0 ] || { echo "no C files under $root"; exit 1; }
mapfile -t bad < <(clang-format --dry-run "${files[@]}" 2>&1 |
    sed -n 's/^\([^:]*\):[0-9]*:[0-9]*: .*/\1/p' | sort -u)
for file in "${bad[@]}"; do
    echo "$file: run clang-format -i on it"
done
echo "${#bad[@]} of ${#files[@]} files need clang-format"
[ ${#bad[@]} -eq 0 ]
