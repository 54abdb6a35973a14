#!/bin/sh
# Everything that is tested, in every way: the suites of `make test`, again under AddressSanitizer and
# UndefinedBehaviorSanitizer, with each instruction set, and with one thread and several. Run before an issue is resolved.
# What a run said is printed where it failed. The last line is `N passed, N failed, N skipped`.
cd "$(dirname "$0")/.." || exit 1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
suite() { # name, command ...
    name=$1
    shift
    begin=$(date +%s)
    "$@" >"$log" 2>&1
    status=$?
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
    set -- $counts
    if [ $# -ne 3 ]; then # it died before it counted
        set -- 0 1 0
    elif [ $status -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1 "$3"
    fi
    [ "$2" -eq 0 ] || tail -n 200 "$log"
    echo "== $name: $1 passed, $2 failed, $3 skipped ($(($(date +%s) - begin)) s)"
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
jobs=-j$(nproc)
unset GANNET_ISA GANNET_THREADS MAKEFLAGS

suite "plain" make "$jobs" test
for isa in scalar avx2 avx512; do
    if env GANNET_ISA=$isa ./apps/summary models/vanilla.json 2>&1 >/dev/null | grep -q "this processor has no"; then
        echo "== GANNET_ISA=$isa: skipped, this processor has none"
        skipped=$((skipped + 2))
        continue
    fi
    for real in float double; do
        suite "GANNET_ISA=$isa, real = $real" env GANNET_ISA=$isa build/$real/run_tests
    done
done
for threads in 1 2; do
    for real in float double; do
        suite "GANNET_THREADS=$threads, real = $real" env GANNET_THREADS=$threads build/$real/run_tests
    done
done
suite "sanitizers" make "$jobs" test SAN=1

echo "== everything"
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
