#!/bin/bash
# Mutation test: applies the bugs of mutants.txt, one at a time, to copies of the kernels, and runs the tests on the CPU shim.
# `quick` selects the mutants marked so. Needs `make build-simt`. The last line is `N passed, N failed, N skipped`; a caught mutant
# has passed. A mutant fails if its expression changes nothing or if it does not compile.
cd "$(dirname "$0")/../.." || exit 1
export BUILD=${BUILD:-build} GANNET_TEST_DEVICE=cuda
orders="forward reverse shuffle:1"

# runs(program, test): whether the test passes in `order`; if not, prints the reason.
runs() {
    local program=$1 test=$2 status
    SIMT_ORDER=$order timeout 300 "$program" --test-case="$test" >"$folder/out" 2>&1
    status=$?
    [ $status -eq 0 ] && return 0
    [ $status -eq 124 ] && echo "time limit exceeded" && return 1
    # the shim's report, a wrong result, or how the program ended
    for pattern in '^simt: .*' 'logged: .*' 'SIG[A-Z]+[^:]*' 'ERROR: .*'; do
        grep -oE -m 1 "$pattern" "$folder/out" | sed 's/^logged: //' | grep . && break
    done | cut -c 1-110
    return 1
}

# Tests the mutant with this number in the list; `from_make` holds its commands.
one() {
    local kind what file unit test cases expression overlay compile link why
    IFS=$'\t' read -r kind what file test cases expression < <(sed -n "$1p" "$from_make/list")
    folder=$from_make/$1 overlay=$from_make/$1/kernels/cuda
    mkdir -p "$overlay"
    verdict() { printf '%-8s %s: %s (%s)\n' "$1" "${file%% *}" "$what" "$2"; }
    unit=${file##* } file=${file%% *} # the file itself, if it is not a header
    export GANNET_TEST_CASES=$cases
    sed -E "$expression" "kernels/cuda/$file" >"$overlay/$file" || { verdict FAILED "sed"; return; }
    cmp -s "kernels/cuda/$file" "$overlay/$file" && { verdict FAILED "changes nothing"; return; }
    compile=$(cat "$from_make/$unit") link=$(cat "$from_make/link")
    [ "$unit" = "$file" ] && compile=${compile/ kernels\/cuda\/$unit/ $overlay\/$unit}
    compile=${compile/ -I/ -I$folder -I} # before the shim's folder, which has files of the same names
    eval "${compile% -o *} -g0 -O1 -o $folder/mutant.o" >"$folder/out" 2>&1 || { verdict FAILED "does not compile: $(grep -m 1 error "$folder/out")"; return; }
    # Before the archive, so that the linker does not use the archive's object.
    link=${link/ -o $BUILD\/simt\/run_tests/ -o $folder/run_tests $folder/mutant.o}
    eval "$link" >"$folder/out" 2>&1 || { verdict FAILED "does not link: $(head -n 1 "$folder/out")"; return; }
    for order in $orders; do
        why=$(runs "$folder/run_tests" "$test") || { verdict caught "$order: $why"; rm -rf "$folder"; return; }
    done
    verdict SURVIVED "$cases"
    rm -rf "$folder"
}
if [ "$1" = one ]; then
    one "$2"
    exit
fi

unset GANNET_TEST_CASES
export from_make=$(mktemp -d)
folder=$from_make
trap 'rm -rf "$from_make"' EXIT
# One line for each block of mutants.txt, with fields separated by tabs.
awk -v quick="$1" -v kernels='every kernel agrees*' '
    BEGIN { test = kernels; cases = "." }
    function flush() { if (what != "" && (quick != "quick" || kind == "quick")) print kind "\t" what "\t" file "\t" test "\t" cases "\t" expression; what = ""; test = kernels; cases = "." }
    /^#/ { next }
    /^$/ { flush(); next }
    { key = $1; rest = $0; sub(/^[a-z]+ +/, "", rest) }
    key == "mutant" || key == "quick" { kind = key; what = rest }
    key == "file" { file = rest }
    key == "test" { test = rest }
    key == "cases" { cases = rest }
    key == "sed" { expression = rest }
    END { flush() }' tools/simt/mutants.txt >"$from_make/list"

# The commands with which make compiles each file, and links.
for unit in $(cut -f 3 "$from_make/list" | sed 's/.* //' | sort -u); do
    make -n V=1 -W "kernels/cuda/$unit" "$BUILD/simt/kernels/cuda/${unit%.cu}.o" | grep -e " -c kernels/cuda/$unit " >"$from_make/$unit"
done
make -n V=1 -W "$BUILD/version.o" "$BUILD/simt/run_tests" | grep -e " -o $BUILD/simt/run_tests " >"$from_make/link"
[ -s "$from_make/link" ] || { echo "mutants: make does not know $BUILD/simt/run_tests" >&2; exit 1; }

# The tests must pass without a mutant.
for order in $orders; do
    cut -f 4 "$from_make/list" | sort -u | while IFS= read -r test; do
        runs "$BUILD/simt/run_tests" "$test" || { echo "mutants: '$test' fails without a mutant, $order" >&2; exit 1; }
    done || exit 1
done

count=$(wc -l <"$from_make/list")
seq "$count" | xargs -P "$(nproc)" -I{} tools/simt/mutants.sh one {} | tee "$from_make/verdicts"
caught=$(grep -c '^caught' "$from_make/verdicts")
echo "$caught passed, $((count - caught)) failed, 0 skipped"
[ "$caught" -eq "$count" ]
