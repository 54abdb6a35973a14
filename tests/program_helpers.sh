# Sourced first by tests/test_*.sh: a work folder, the programs, and functions that run and check them. GANNET_APPS names another
# folder of programs. A test ends with `counts`, which prints `N passed, N failed, N skipped`.
set -u
# nohup and background jobs ignore some signals, and the started programs would inherit that.
[ -n "${default_signals:-}" ] || exec env --default-signal default_signals=1 "$BASH" "$0" "$@"
unset default_signals GANNET_ISA GANNET_THREADS GANNET_DATA
cd "$(dirname "$0")/.." || exit 1
root=$PWD
programs=${GANNET_APPS:-apps}
[[ $programs = /* ]] || programs=$root/$programs
# shellcheck disable=SC2034
train=$programs/train generate=$programs/generate evaluate=$programs/evaluate summary=$programs/summary bench=$programs/bench
work=$(mktemp -d) started=""
cleanup() {
    for id in $started; do kill -9 "$id" 2>/dev/null; done
    rm -rf "$work"
}
trap cleanup EXIT
cd "$work" || exit 1
export XDG_CACHE_HOME=$work/cache
passed=0 failed=0 skipped=0
counts() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
launched() { # after a program was started with &: sets $run_id; the program is killed when the test ends
    run_id=$!
    started="$started $run_id"
}

ok() { passed=$((passed + 1)); }
bad() {
    failed=$((failed + 1))
    echo "FAILED: $*"
    [ -s err ] && sed 's/^/    stderr: /' err | tail -n 5 | cut -c 1-400
}
skip() {
    skipped=$((skipped + 1))
    echo "skipped: $*"
}
check() { # name, command ...: the command must succeed
    local name=$1
    shift
    if "$@"; then ok; else bad "$name: $*"; fi
}
runs() { # command ...: the program must end with status 0
    "$@" >out 2>err </dev/null
    local status=$?
    if [ $status -eq 0 ]; then ok; else bad "status $status of: $*"; fi
}
# The last line of err must be `gannet: WHAT (WHERE): WHAT TO DO` and match the pattern; no other line may be an error.
error_line() { # pattern
    [ "$(grep -c '^gannet: ' err)" -eq "$(grep -c '^gannet: warning: ' err | awk '{ print $1 + 1 }')" ] || return 1
    tail -n 1 err | grep -qE '^gannet: [^ ].* \(.+\): .+' && tail -n 1 err | grep -qE -- "$1"
}
refuses() { # pattern, command ...: must end with status 1 and one line that matches
    local pattern=$1
    shift
    "$@" >out 2>err </dev/null
    local status=$?
    if [ $status -ne 1 ]; then bad "status $status, not 1, of: $*"
    elif ! error_line "$pattern"; then bad "no clear line with '$pattern' of: $*"
    else ok; fi
}
refuses_at_once() { # the same, and the line is the only output on stderr
    refuses "$@"
    [ "$(wc -l <err)" -eq 1 ] || bad "more than one line from: ${*:2}"
}
sum_of() { find "$@" -type f -exec cksum {} + | sort; }
same() { check "the same bytes" cmp -s "$1" "$2"; }
differ() { if cmp -s "$1" "$2"; then bad "$1 and $2 are the same"; else ok; fi; }
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ] && tail -c 8 "$1" | head -c 4 | grep -q IEND; }
png_size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print (($1*256+$2)*256+$3)*256+$4 "x" (($5*256+$6)*256+$7)*256+$8 }'; }
has_size() { is_png "$1" && [ "$(png_size "$1")" = "$2" ]; }
wait_for() { # seconds, command ...
    local end=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.02
    done
}
lines_in() { [ "$(wc -l <"$1")" -ge "$2" ]; }
step_of() { grep -ao '"step": *"[0-9]*"' "$1/checkpoint.safetensors" | head -n 1 | tr -dc 0-9; }
be32() { printf "\\$(printf %o $(($1 >> 24 & 255)))\\$(printf %o $(($1 >> 16 & 255)))\\$(printf %o $(($1 >> 8 & 255)))\\$(printf %o $(($1 & 255)))"; }
images() { zcat "$root/data/mnist/$1-images-idx3-ubyte.gz" 2>/dev/null | tail -c +17 | head -c $((784 * $2)); } # train or t10k, count
labels() { zcat "$root/data/mnist/$1-labels-idx1-ubyte.gz" 2>/dev/null | tail -c +9 | head -c "$2"; }
image_header() { printf '\0\0\010\003' && be32 "$1" && be32 28 && be32 28; }
label_header() { printf '\0\0\010\001' && be32 "$1"; }
write_digits() { # train or t10k, count: writes the first digits to the folder digits
    mkdir -p digits
    { image_header "$2" && images "$1" "$2"; } >"digits/$1-images-idx3-ubyte"
    { label_header "$2" && labels "$1" "$2"; } >"digits/$1-labels-idx1-ubyte"
}
python=$(command -v python3)
holds() { # a Python expression of `r`, the JSON object in the file out
    if [ -z "$python" ]; then skip "no python3: $1"
    elif "$python" -c 'import json, math, sys; r = json.load(open("out")); sys.exit(not eval(sys.argv[1]))' "$1" 2>>err; then ok
    else bad "not so: $1"; fi
}
