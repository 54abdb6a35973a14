#!/usr/bin/env bash
# The folder of a run: how it is created, which program may write it, and that a run that is killed or started twice loses
# nothing.
. "$(dirname "$0")/program_helpers.sh"

cat >tiny.json <<'END_OF_MODEL'
{
  "data":   { "set": "ring", "first": 256 },
  "latent": { "size": 4 },
  "generator": [ { "layer": "linear", "units": 8 }, { "layer": "relu" }, { "layer": "linear", "units": "image" }, { "layer": "reshape", "shape": "image" } ],
  "discriminator": [ { "layer": "flatten" }, { "layer": "linear", "units": 8 }, { "layer": "leaky_relu" }, { "layer": "linear", "units": 1 } ],
  "objective": { "loss": "bce_with_logits" },
  "optimizer": { "type": "adam", "lr": 1e-3 },
  "batch": 8, "steps": 4
}
END_OF_MODEL
last=checkpoint.safetensors
runs "$train" tiny.json --out whole

again=("$train" tiny.json --resume-if-exists)

# ---- a run that has no checkpoint yet ------------------------------------------------------------------------------------
mkdir early && cp whole/config.json early
refuses_at_once "has no checkpoint yet.*start it with --resume early" "$generate" early
refuses_at_once "exists already.*ended before its first checkpoint \(early\).*--resume early" "$train" tiny.json --out early
refuses_at_once "'optimizer\.?[a-z.]*lr' differs from the run's configuration" "$train" --resume early --set optimizer.lr=1
printf '{"step": 9, "loss_d"' >early/log.jsonl
runs "$train" --resume early
same whole/$last early/$last
check "a new log" test "$(grep -c loss_d early/log.jsonl)" -eq 4

# ---- a checkpoint that is gone ---------------------------------------------------------------------------------------------
cp -r whole lost && mv lost/$last elsewhere
lost="has no checkpoint, but its log has rows of later steps \(lost\): put its checkpoint.safetensors back"
refuses_at_once "$lost" "$train" --resume lost
refuses_at_once "$lost" "${again[@]}" --out lost
ln -s ../gone/$last lost/$last
refuses_at_once "the checkpoint is a link to nothing \(lost/$last\)" "${again[@]}" --out lost
check "the log is unchanged" cmp -s whole/log.jsonl lost/log.jsonl
ln -s gone loose
refuses_at_once "a link to nothing \(loose\)" "$train" tiny.json --out loose
refuses_at_once "not a folder \(tiny.json\)" "$train" tiny.json --out tiny.json
for place in whole tiny.json loose tiny.json/run; do refuses_at_once "$place" "$train" tiny.json --out $place --dry-run; done

# ---- one command to start and resume -------------------------------------------------------------------------------------
refuses_at_once "--resume-if-exists requires --out" "${again[@]}"
refuses_at_once "--resume excludes --resume-if-exists" "${again[@]}" --resume whole
refuses_at_once "no model file" "$train" --out whole --resume-if-exists
runs "${again[@]}" --out kept
same whole/$last kept/$last
before=$(sum_of kept)
runs "${again[@]}" --out kept
check "it says that the run is finished" grep -q 'finished.* 4 steps (kept)' err
check "it says how to train further" grep -q -- '--resume kept --steps N' err
check "a finished run stays as it is" test "$before" = "$(sum_of kept)"
runs "$train" --resume kept
check "--resume says how to train further" grep -q -- '--resume kept --steps N' err
refuses_at_once "'optimizer\.?[a-z.]*lr' differs from the run's configuration" "${again[@]}" --out kept --set optimizer.lr=1
mkdir changed && sed 's/1e-3/1e-4/' tiny.json >changed/tiny.json
refuses_at_once "'optimizer\.?[a-z.]*lr' differs from the run's configuration" "$train" changed/tiny.json --out kept --resume-if-exists
runs "${again[@]}" --out kept --steps 6
runs "$train" tiny.json --out straight --steps 6
same straight/$last kept/$last
runs "${again[@]}" --out kept
check "a run that was extended is finished, too" grep -q 'finished.* 6 steps (kept)' err
same straight/$last kept/$last
mkdir early2 empty && cp whole/config.json early2
runs "${again[@]}" --out early2
same whole/$last early2/$last
runs "${again[@]}" --out empty
same whole/$last empty/$last
# A repeated command keeps the complete trace that it wrote, under any name. A file that is not a trace is never replaced.
traced=("$train" tiny.json --out traced --resume-if-exists --trace first.steps --trace-steps 1)
runs "${traced[@]}" --steps 2
cp first.steps before.steps
runs "${traced[@]}"
check "the run was resumed" test "$(step_of traced)" -eq 4
same first.steps before.steps
rm first.steps
runs "${traced[@]}" --steps 6
check "a trace of the first step after the resume" grep -aq '"s4.d0.grad' first.steps
head -c 100 before.steps >first.steps
refuses_at_once "--trace would replace a file that is not a trace" "${traced[@]}" --steps 8
for model in ..json .hidden.json; do
    cp tiny.json $model
    runs "$train" $model
done
check "the folders of runs are not hidden" test -e runs/run/$last -a -e runs/hidden/$last -a "$(find runs -name '.?*' | wc -l)" -eq 0
cp whole/$last other.safetensors
refuses_at_once "--trace would replace a file that is not a trace \(other.safetensors\)" "$train" tiny.json --out t1 --trace other.safetensors
same whole/$last other.safetensors
mkdir own
refuses "--trace would replace a file that is not a trace \(own/$last\)" "$train" tiny.json --out own --resume-if-exists --trace own/$last
check "the checkpoint is not replaced by the trace" test "$(step_of own)" = 0
(mkdir here && cd here && "$train" ../tiny.json --resume-if-exists --out . >../out 2>../err </dev/null)
check "a run in the current, empty folder" cmp -s whole/$last here/$last
mkdir foreign && : >foreign/notes.txt && : >file && ln -s nowhere dangling
refuses_at_once "is not a run folder \(foreign\): choose another --out" "${again[@]}" --out foreign
for other in file dangling; do refuses_at_once "$other" "${again[@]}" --out $other; done
check "foreign files are unchanged" test "$(ls foreign)" = notes.txt -a ! -s file -a ! -e nowhere
# The initial weights are in the folder when it appears, because config.json does not name them.
runs "$train" tiny.json --out init --init whole/$last
runs "${again[@]}" --out init2 --init whole/$last
runs "${again[@]}" --out init2 --init whole/$last
same init/$last init2/$last
# Left by a program that was killed on a file system without folder locks.
mkdir init3 && : >init3/.lock
runs "${again[@]}" --out init3 --init whole/$last
same init/$last init3/$last

# ---- killed at any moment ------------------------------------------------------------------------------------------------
moments=0
for ((kills = 0; kills < 25; ++kills)); do
    "$train" tiny.json --out killed/run --resume-if-exists --steps 40 --set checkpoint_every=0 >/dev/null 2>&1 </dev/null &
    id=$!
    sleep 0.0$((RANDOM % 9 + 1))
    kill -9 $id
    wait $id
    [ $? -eq 0 ] || moments=$((moments + 1))
done 2>/dev/null
check "some were killed" test $moments -gt 0
runs "${again[@]}" --out killed/run --steps 40 --set checkpoint_every=0
runs "$train" tiny.json --out uncut --steps 40 --set checkpoint_every=0
same uncut/$last killed/run/$last
check "no temporary folders are left" test "$(ls -A killed)" = run
# Temporary folders of killed programs are removed; other files remain.
mkdir -p beside/.mine.gannet-0a1b2c/samples beside/.mine.gannet-0a1b2 beside/.gannet-0a1b2c beside/mine.gannet-0a1b2c
: >beside/.mine.gannet-0a1b2c/config.json
ln -s ../whole beside/.link.gannet-0a1b2c
mkdir beside/.alive.gannet-0a1b2c
exec 9<beside/.alive.gannet-0a1b2c
flock -n 9
runs "$train" tiny.json --out beside/other
exec 9<&-
check "only temporaries of killed programs are removed" test "$(ls -A beside | LC_ALL=C sort | tr '\n' ' ')" = \
    ".alive.gannet-0a1b2c .gannet-0a1b2c .link.gannet-0a1b2c .mine.gannet-0a1b2 mine.gannet-0a1b2c other "
check "links are not followed" test -s whole/$last

# ---- two programs at once ------------------------------------------------------------------------------------------------
"$train" tiny.json --out busy --steps 100000000 >busy.log 2>&1 </dev/null &
launched
check "a run begins" wait_for 60 test -s busy/$last
for try in "--resume busy" "tiny.json --out busy" "tiny.json --out busy --resume-if-exists"; do
    # shellcheck disable=SC2086  # words
    refuses_at_once "another program is training this run \(busy\): wait for it" "$train" $try
    check "the message does not advise removal" test -z "$(grep -iE 'remove|move it' err)"
done
kill -TERM $run_id && wait $run_id
wrong=0 winners=0
for ((race = 0; race < 12; ++race)); do
    for racer in 1 2 3; do
        "$train" tiny.json --out race$race >/dev/null 2>race.$racer </dev/null &
        eval "racer$racer=$!"
    done
    for racer in 1 2 3; do
        eval "wait \$racer$racer"
        if [ $? -eq 0 ]; then winners=$((winners + 1))
        else grep -qE '^gannet: (another program is training|the folder of the run exists already \()' race.$racer || wrong=$((wrong + 1)); fi
    done
    cmp -s whole/$last race$race/$last || wrong=$((wrong + 1))
done
check "one of three wins each race" test $winners -eq 12
check "the losers report the existing run" test $wrong -eq 0
check "the losers leave no temporaries" test -z "$(find . -maxdepth 1 -name '.*gannet*')"

# ---- concurrent writers, modes, and pipes -----------------------------------------------------------------------------------
wrong=0
for ((race = 0; race < 15; ++race)); do
    "$generate" whole -n 9 --out raced.png >/dev/null 2>raced.err </dev/null &
    "$generate" whole -n 9 --out raced.png >/dev/null 2>err </dev/null || wrong=$((wrong + 1))
    wait $! || wrong=$((wrong + 1))
done
check "two programs can write the same picture" test $wrong -eq 0
cp -r whole private && chmod 600 private/$last private/config.json && : >private/$last.tmp
(umask 022 && "$train" --resume private --steps 6 >out 2>err </dev/null)
check "modes are kept" test "$(stat -c %a private/$last private/config.json | tr '\n' ' ')" = "600 600 "
check "a file of the user's own stays" test -e private/$last.tmp
mkdir private/$last.tmp.d private/.$last.gannet-0
runs "$train" --resume private --steps 7
same private/$last <("$train" tiny.json --out seven --steps 7 2>/dev/null && cat seven/$last)
: >whole/samples/.step_000004.png.gannet-0 && : >whole/.config.json.gannet-1
runs "$train" --resume whole
check "temporaries of killed programs are removed" test -z "$(find whole -name '.*')"

mkfifo fifo
waits() { # pattern, command ...: must be rejected without blocking
    refuses "$1" timeout 20 "${@:2}"
}
waits "no program writes to this pipe.*\(fifo\)|\(fifo\).*pipe" "$train" fifo --out never
waits "this is a pipe, not a file \(fifo\)" "$generate" fifo
waits "this is a pipe, not a file \(fifo\)" "$train" tiny.json --init fifo --out never
waits "not a folder \(fifo\)" "$train" tiny.json --out fifo
waits "config.json.*\(fifo\)" "$train" --resume fifo
waits "fifo" "$train" tiny.json --out fifo --resume-if-exists
waits "fifo" "$train" tiny.json --out never --trace fifo
for name in $last log.jsonl config.json; do
    rm -rf piped && cp -r whole piped && rm piped/$name && mkfifo piped/$name
    waits "this is a pipe, not a file \(piped/$name\)" "$train" --resume piped --steps 6
    waits "this is a pipe, not a file \(piped/$name\)" "${again[@]}" --out piped --steps 6
    waits "this is a pipe, not a file \(piped/$name\)" "$generate" piped
done
check "no files were created" test ! -e never
runs "$train" <(cat tiny.json) --out from-pipe
same whole/samples/step_000004.png from-pipe/samples/step_000004.png
"$train" /dev/stdin --out from-stdin <tiny.json >out 2>err
check "a model from standard input" cmp -s whole/samples/step_000004.png from-stdin/samples/step_000004.png

# ---- names with terminal control sequences -------------------------------------------------------------------------------
evil=$'e\e[31m\nvil\x7f\xc2\x9b31m\x9b31m'
clean() { # files: must be UTF-8 without control characters other than line feeds
    check "no controls from $current" python3 -c 'import sys
for name in sys.argv[1:]:
    text = open(name, "rb").read().decode()
    assert not any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in text), text' "$@"
}
says_only_text() { # command ...
    current="$*"
    "$@" >out 2>err </dev/null
    check "$* says something" test -s out -o -s err
    clean out err
}
if command -v python3 >/dev/null; then
    mkdir "$evil" && cp tiny.json "$evil/$evil.json" && cp "$root"/tests/images/*.png "$evil" 2>/dev/null
    says_only_text "$train" "$evil/$evil.json"
    says_only_text "$train" "$evil/$evil.json" --out "out-$evil"
    check "a folder of any name" test -s "out-$evil/$last"
    says_only_text "$train" "$evil/$evil.json" --out "out-$evil"
    says_only_text "$train" --resume "out-$evil"
    says_only_text "$train" --resume "out-$evil" --steps 5
    says_only_text "$train" "$evil/$evil.json" --dry-run
    says_only_text "$train" "$evil/$evil.json" --set "data.path=$evil" --set data.set=folder --set data.size=8 --set batch=2 --dry-run
    says_only_text "$train" "$evil/$evil.json" --set "data.path=$evil" --set data.set=folder --set data.size=8 --set batch=2 --dry-run
    says_only_text "$train" "$evil/none-$evil.json"
    says_only_text "$train" "$evil/$evil.json" --set "$evil=$evil"
    says_only_text "$train" "$evil/$evil.json" --init "$evil"
    says_only_text "$generate" "$evil"
    says_only_text "$generate" "out-$evil" --out "$evil/no/$evil.png"
    says_only_text "$programs/summary" "$evil/$evil.json"
    says_only_text "$programs/bench" "$evil/$evil.json" --seconds 0.1
    says_only_text "$programs/evaluate" "out-$evil" --classifier "$evil"
else
    skip "names with terminal control sequences: no python3"
fi

# ---- checks before a folder is made ---------------------------------------------------------------------------------------
cat >classifier.json <<'END_OF_MODEL'
{ "data": { "set": "mnist", "path": "digits" },
  "classifier": [ { "layer": "flatten" }, { "layer": "linear", "units": 10 } ],
  "optimizer": { "type": "adam", "lr": 1e-3 }, "batch": 8, "steps": 2 }
END_OF_MODEL
set_of() { # prefix, side, label: two black images
    { printf '\0\0\010\003' && be32 2 && be32 "$2" && be32 "$2" && head -c $((2 * $2 * $2)) /dev/zero; } >digits/"$1"-images-idx3-ubyte
    { printf '\0\0\010\001' && be32 2 && printf "\0\\$3"; } >digits/"$1"-labels-idx1-ubyte
}
mkdir digits && set_of train 28 7
classifier=("$train" classifier.json --set batch=2 --out c)
refuses_at_once "t10k-images" "${classifier[@]}"
set_of t10k 20 7
refuses_at_once "the test images are \(1, 20, 20\)" "${classifier[@]}"
set_of t10k 28 13
refuses_at_once "the test images have 12 labels" "${classifier[@]}"
check "a refused run leaves no folder" test ! -e c
set_of t10k 28 3
runs "${classifier[@]}"

# ---- a file system without locks -----------------------------------------------------------------------------------------
cat >unlockable.c <<'END_OF_PROGRAM'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
// As NFS, which locks no folder, or, with NO_LOCKS, as what locks nothing.
int flock(int file, int operation) {
    struct stat info;
    if (getenv("NO_LOCKS") || (fstat(file, &info) == 0 && S_ISDIR(info.st_mode))) return errno = EBADF, -1;
    return ((int (*)(int, int))dlsym(RTLD_NEXT, "flock"))(file, operation);
}
END_OF_PROGRAM
if [ -z "${SAN:-}" ] && cc -shared -fPIC -o unlockable.so unlockable.c -ldl 2>/dev/null; then
    unlockable=(env LD_PRELOAD="$work/unlockable.so")
    "${unlockable[@]}" "$train" tiny.json --out nfs --steps 100000000 >nfs.log 2>&1 </dev/null &
    launched
    check "a run begins" wait_for 60 test -s nfs/$last
    refuses_at_once "another program is training this run \(nfs\)" "${unlockable[@]}" "$train" --resume nfs
    refuses_at_once "another program is training this run \(nfs\)" "${unlockable[@]}" "$train" tiny.json --out nfs
    kill -TERM $run_id && wait $run_id
    check "no warning if another lock works" test "$(grep -c 'no locks' nfs.log)" -eq 0
    runs "${unlockable[@]}" env NO_LOCKS=1 "$train" tiny.json --out lockless
    check "a warning without locks" grep -q '^gannet: warning: the file system has no locks (lockless): do not start a second program' err
    same whole/$last lockless/$last
    runs "${unlockable[@]}" env NO_LOCKS=1 "$train" --resume lockless --steps 6
    same straight/$last lockless/$last
    for no_locks in "" NO_LOCKS=1; do
        # shellcheck disable=SC2206  # a word or none
        command=("${unlockable[@]}" env $no_locks "${again[@]}" --out given)
        rm -rf given && mkdir given
        runs "${command[@]}"
        same whole/$last given/$last
        rm -rf given && mkdir given
        runs "${command[@]}" --init whole/$last
        runs "${command[@]}" --init whole/$last
        same init/$last given/$last
        check "no temporary folders are left" test -z "$(find . -maxdepth 1 -name '.*gannet*')"
    done
else
    skip "a file system without locks cannot be simulated here"
fi

counts
