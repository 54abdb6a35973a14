# Functions for scripts that run suites. `suite NAME COMMAND...` runs one suite and adds the counts of its last line `N passed, N
# failed, N skipped` to $passed, $failed and $skipped. `all_suites` prints the sums in the same form and returns 1 if a suite
# failed. With quiet=1, the output of a suite is printed only if it failed.
passed=0 failed=0 skipped=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
suite() {
    name=$1
    shift
    [ -n "$quiet" ] || echo "== $name"
    begin=$(date +%s)
    "$@" >"$log" 2>&1
    status=$?
    counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p' "$log" | tail -n 1)
    set -- $counts
    if [ $# -ne 3 ]; then # the suite ended before it printed its counts
        set -- 0 1 0
    elif [ $status -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1 "$3"
    fi
    if [ -z "$quiet" ]; then cat "$log"; elif [ "$2" -ne 0 ]; then tail -n 200 "$log"; fi
    echo "== $name: $1 passed, $2 failed, $3 skipped ($(($(date +%s) - begin)) s)"
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
all_suites() {
    echo "== all suites"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
